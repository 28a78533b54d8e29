"""One call: feeds a peer's audio to a session and exchanges events until either side ends."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Protocol

from aiortc.mediastreams import MediaStreamTrack

from quest22.records import Samples
from quest22.server.openai.realtime.webrtc.audio_queue import AudioQueue
from quest22.server.openai.realtime.webrtc.event_channel import EventChannel
from quest22.server.openai.realtime.webrtc.peer import MAX_UNFINISHED_BYTES, Peer
from quest22.server.openai.realtime.webrtc.track_reader import TrackReader

CONNECT_TIMEOUT_S = 30.0
"""How long a peer may take to connect."""

AUDIO_DELAY_S = 0.15
"""How much later audio arrives than an event sent at the same time: it is recorded, encoded and
reordered first."""

FINAL_EVENTS_TIMEOUT_S = 2.0
"""How long to wait for the last events to be delivered before closing the connection."""

CHECK_INTERVAL_S = 1.0

_log = logging.getLogger("quest22.server")


class CallSession(Protocol):
    """What a call needs from a :class:`RealtimeSession`."""

    async def begin(self) -> None: ...
    async def receive_text(self, text: str) -> None: ...
    async def feed(self, samples: Samples, rate_hz: int) -> None: ...
    async def drain(self) -> None: ...
    async def expire(self, idle_s: float) -> None: ...
    async def close(self) -> None: ...
    @property
    def has_ended(self) -> asyncio.Event: ...


class Call:
    """A call whose offer was answered; its session sends events with :meth:`send`.

    ``on_dropped`` is called with the seconds of audio that were dropped. If nothing comes from the
    peer for ``idle_s``, its session ends.
    """

    def __init__(
        self, peer: Peer, on_dropped: Callable[[float], None] = lambda _: None, idle_s: float = inf
    ) -> None:
        self._peer = peer
        self._on_lost = on_dropped
        self._reported_s = 0.0
        self._queue = AudioQueue()
        self._reader = TrackReader(self._queue)
        self._idle_s = idle_s
        self._last_event_s = time.monotonic()
        self._expired = False
        self._finishing = False

    @property
    def dropped_s(self) -> float:
        """Audio that was dropped because the session was behind or the audio came too fast."""
        return self._queue.dropped_s + self._reader.refused_s

    async def send(self, event: Mapping[str, Any]) -> None:
        """Send an event to the peer, once the data channel is open."""
        channel = await asyncio.shield(self._peer.channel)
        await channel.send(json.dumps(event, ensure_ascii=False))

    async def finish(self) -> None:
        """Accept no more audio, finalize what was said, then end the call."""
        self._finishing = True
        self._queue.close()

    async def run(self, track: MediaStreamTrack, session: CallSession) -> None:
        """Serve a prepared session until the peer or the server ends the call.

        Raises what the session raises.
        """
        serving, *others = tasks = [
            asyncio.ensure_future(each)
            for each in (
                self._serve(session),
                self._peer.gone.wait(),
                self._reader.run(track),
                self._watch(session),
            )
        ]
        try:
            await asyncio.wait([serving, others[0]], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.wait(tasks)
            self._report_dropped()
        if not serving.cancelled():
            try:
                serving.result()
            except ConnectionError:
                _log.debug("a WebRTC peer has disconnected")

    async def _serve(self, session: CallSession) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                channel = await asyncio.shield(self._peer.channel)
        except TimeoutError:
            _log.info("a WebRTC peer did not connect within %.0f s", CONNECT_TIMEOUT_S)
            return
        await session.begin()
        listening = asyncio.ensure_future(self._receive_events(channel))
        try:
            await self._feed_session(channel, session)
        finally:
            listening.cancel()
        if self._expired:
            await session.expire(self._idle_s)
        else:
            await session.drain()
        await channel.drain(FINAL_EVENTS_TIMEOUT_S)

    async def _feed_session(self, channel: EventChannel, session: CallSession) -> None:
        """Pass on audio and events in order until the queue is closed."""
        while (item := await self._queue.take()) is not None:
            if isinstance(item, str):
                await session.receive_text(item)
                channel.release(item)
            else:
                await session.feed(item.samples, item.rate_hz)

    async def _receive_events(self, channel: EventChannel) -> None:
        """Delay events until the audio before them arrives: a commit must include the last word."""
        clock = asyncio.get_running_loop().time
        while (received := await channel.receive()) is not None:
            self._last_event_s = time.monotonic()
            text, came_s = received
            await asyncio.sleep(max(0.0, came_s + AUDIO_DELAY_S - clock()))
            self._queue.put_event(text)

    async def _watch(self, session: CallSession) -> None:
        """End the call if the session has failed or the peer sends an oversized message."""
        while self._finishing or not session.has_ended.is_set():
            if self._peer.unfinished_bytes > MAX_UNFINISHED_BYTES:
                _log.warning("a WebRTC peer sent an oversized message")
                break
            self._report_dropped()
            await self._check_idle()
            await asyncio.sleep(CHECK_INTERVAL_S)
        self._peer.gone.set()

    async def _check_idle(self) -> None:
        last_s = max(self._last_event_s, self._reader.last_packet_s)
        if not self._finishing and time.monotonic() - last_s > self._idle_s:
            self._expired = True
            await self.finish()

    def _report_dropped(self) -> None:
        dropped_s = self.dropped_s
        self._on_lost(dropped_s - self._reported_s)
        self._reported_s = dropped_s
