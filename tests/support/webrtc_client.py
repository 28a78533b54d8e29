"""A WebRTC client of OpenAI's realtime protocol: does with aiortc what its guide tells browsers."""

from __future__ import annotations

import asyncio
import fractions
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import soxr
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from quest22.records import SAMPLE_RATE_HZ, Samples

RATE_HZ = 48_000
FRAME = RATE_HZ // 50
DONE_S = 60

Exchange = Callable[[str], Awaitable[str]]
"""Posts an offer, returns the answer."""


class SpokenTrack(MediaStreamTrack):
    """A microphone: half a second of silence, the sound, then silence for ever; ``pace`` times
    as fast as real.

    ``number`` is that of the next frame of 20 ms, ``said`` set once all of the sound has left.
    """

    kind = "audio"

    def __init__(self, sound: Samples, pace: float = 1.0, quiet_s: float = 0.5) -> None:
        super().__init__()
        raised = soxr.resample(sound, SAMPLE_RATE_HZ, RATE_HZ)
        quiet = np.zeros(round(quiet_s * RATE_HZ), np.float32)
        whole = np.concatenate([quiet, raised, quiet])
        self._samples = (np.clip(whole, -1, 1) * 32767).astype(np.int16)
        self._pace = pace
        self.number = 0
        self._began_s: float | None = None
        self.said = asyncio.Event()

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        if self._began_s is None:
            self._began_s = time.monotonic()
        due_s = self._began_s + self.number / 50 / self._pace
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        frame = self._frame(self.number)
        self.number += 1
        return frame

    def _frame(self, number: int) -> AudioFrame:
        part = self._samples[number * FRAME : (number + 1) * FRAME]
        if len(part) < FRAME:
            self.said.set()
            part = np.pad(part, (0, FRAME - len(part)))
        frame = AudioFrame.from_ndarray(part.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, number * FRAME
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        return frame


class WebRtcClient:
    """A connection, its data channel, and all events that have come."""

    def __init__(self, track: MediaStreamTrack | None) -> None:
        # An empty list: aiortc's own default asks a server on the internet.
        self.connection = RTCPeerConnection(RTCConfiguration([]))
        if track is not None:
            self.connection.addTrack(track)
        self.channel = self.connection.createDataChannel("oai-events")
        self.events: list[dict[str, Any]] = []
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self._changed = asyncio.Condition()
        self.channel.on("open", self.opened.set)
        self.channel.on("close", self.closed.set)
        self.channel.on("message", self._received)

    async def connect(self, exchange: Exchange) -> None:
        """Offer, and take the answer; waits for the data channel."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer = await exchange(self.connection.localDescription.sdp)
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await asyncio.wait_for(self.opened.wait(), DONE_S)

    def send(self, event: dict[str, Any]) -> None:
        self.channel.send(json.dumps(event))

    async def wait_for(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """So many events of a type."""

        def found() -> list[dict[str, Any]]:
            return [event for event in self.events if event["type"] == kind]

        async with asyncio.timeout(DONE_S), self._changed:
            await self._changed.wait_for(lambda: len(found()) >= count)
        return found()

    async def _received(self, text: str) -> None:
        self.events.append(json.loads(text))
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def webrtc_client(
    exchange: Exchange,
    track: MediaStreamTrack | None = None,
    prepare: Callable[[WebRtcClient], None] = lambda _: None,
) -> AsyncIterator[WebRtcClient]:
    """A connected client; ``prepare`` may change it before its offer."""
    client = WebRtcClient(track)
    try:
        prepare(client)
        await client.connect(exchange)
        yield client
    finally:
        await client.connection.close()


def lose_packets(client: WebRtcClient, is_lost: Callable[[], bool]) -> None:
    """From now on, lose some of the packets of sound on their way."""
    ice = client.connection.getSenders()[0].transport.transport
    send = ice._send

    async def lossy(data: bytes) -> None:
        is_sound = 128 <= data[0] <= 191
        if not (is_sound and is_lost()):
            await send(data)

    ice._send = lossy
