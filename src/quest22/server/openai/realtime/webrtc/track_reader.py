"""Reads the frames of a track into a queue without delay: aiortc would queue them unbounded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from quest22.server.openai.realtime.webrtc.audio_queue import AudioQueue, Frame
from quest22.server.openai.realtime.webrtc.track_clock import TICKS_HZ, TrackClock

IDLE_CHECK_INTERVAL_S = 0.25
"""How often to check whether a track has stopped sending."""


class TrackReader:
    """Puts a track's audio into a queue, with silence where audio is missing."""

    def __init__(self, queue: AudioQueue, clock: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._clock = clock
        self._timeline = TrackClock()
        self._rate_hz = TICKS_HZ
        self.refused_s = 0.0
        self.last_packet_s = clock()
        """When the last packet came; at first, when the reader was made."""

    async def run(self, track: MediaStreamTrack) -> None:
        """Read frames until the track ends."""
        silence = asyncio.ensure_future(self._fill_silence())
        try:
            while True:
                self.put(await track.recv())
        except MediaStreamError:
            return
        finally:
            silence.cancel()

    def put(self, frame: Any) -> None:
        """Add one of PyAV's audio frames."""
        self.last_packet_s = self._clock()
        rate_hz = int(frame.sample_rate)
        samples = mono(frame.to_ndarray(), len(frame.layout.channels))
        ticks = len(samples) * TICKS_HZ // rate_hz
        start = round(frame.pts * frame.time_base * TICKS_HZ)
        missing = self._timeline.place(start, ticks, self._clock())
        if missing is None:
            self.refused_s += ticks / TICKS_HZ
            return
        self._rate_hz = rate_hz
        self._queue.put_silence(missing, rate_hz)
        self._queue.put(samples, rate_hz)

    async def _fill_silence(self) -> None:
        while True:
            await asyncio.sleep(IDLE_CHECK_INTERVAL_S)
            self._queue.put_silence(self._timeline.idle(self._clock()), self._rate_hz)


def mono(interleaved: np.ndarray[Any, np.dtype[np.int16]], channels: int) -> Frame:
    """Mix the channels: ``[1, samples × channels]`` → ``[samples]``."""
    flat = interleaved.reshape(-1, channels)
    if channels == 1:
        return flat[:, 0]
    mixed: Frame = (flat.astype(np.int32).sum(axis=1) // channels).astype(np.int16)
    return mixed
