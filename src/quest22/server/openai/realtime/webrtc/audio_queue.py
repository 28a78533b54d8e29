"""Queues a call's audio and events for its session, in the order of arrival.

A track cannot be slowed down, and a session may be behind. The queue holds some seconds of audio;
when more arrives, it replaces the oldest with silence of the same length, so that times stay
correct. It never drops events: :mod:`.event_channel` limits them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from quest22.records import Samples
from quest22.server.openai.realtime.webrtc.track_clock import TICKS_HZ

MAX_AUDIO_S = 20.0

BLOCK_S = 0.1
"""Approximate length of the blocks that are taken out."""

Frame: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.int16]]"


@dataclass(slots=True)
class _Piece:
    """Samples, or silence if ``samples`` is None. ``ticks`` is the duration."""

    ticks: int
    rate_hz: int
    samples: Frame | None = None


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """A block of mono audio, ``[samples]``."""

    samples: Samples
    rate_hz: int


class AudioQueue:
    """A bounded queue; for use in one event loop."""

    def __init__(self, most_s: float = MAX_AUDIO_S) -> None:
        self._most = round(most_s * TICKS_HZ)
        self._pieces: deque[_Piece | str] = deque()
        self._held = 0  # ticks of audio; silence takes no memory
        self._dropped = 0
        self._closed = False
        self._changed = asyncio.Event()

    @property
    def dropped_s(self) -> float:
        """How much audio has been dropped."""
        return self._dropped / TICKS_HZ

    def put(self, samples: Frame, rate_hz: int) -> None:
        """Add a mono frame."""
        ticks = len(samples) * TICKS_HZ // rate_hz
        self._add(_Piece(ticks, rate_hz, samples))
        self._held += ticks
        if self._held > self._most:
            self._drop_oldest()

    def put_silence(self, ticks: int, rate_hz: int) -> None:
        """Add silence, unless it is shorter than a sample."""
        if ticks * rate_hz >= TICKS_HZ:
            self._add(_Piece(ticks, rate_hz))

    def put_event(self, text: str) -> None:
        """Add an event."""
        self._add(text)

    def close(self) -> None:
        """Accept no more; :meth:`take` returns None once the queue is empty."""
        self._closed = True
        self._changed.set()

    async def take(self) -> AudioBlock | str | None:
        """Wait for the next audio or event; None at the end."""
        while not self._pieces:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        first = self._pieces[0]
        if isinstance(first, str):
            self._pieces.popleft()
            return first
        return self._take_block(first.rate_hz)

    def _add(self, piece: _Piece | str) -> None:
        if not self._closed:
            self._pieces.append(piece)
            self._changed.set()

    def _take_block(self, rate_hz: int) -> AudioBlock:
        most = round(BLOCK_S * rate_hz)
        parts: list[Frame] = []
        count = 0
        while self._pieces and count < most:
            piece = self._pieces[0]
            if isinstance(piece, str) or piece.rate_hz != rate_hz:
                break
            parts.append(self._take_some(piece, most - count))
            count += len(parts[-1])
        samples: Samples = np.concatenate(parts).astype(np.float32) / np.float32(32768)
        return AudioBlock(samples, rate_hz)

    def _take_some(self, piece: _Piece, most: int) -> Frame:
        """Take the first piece; if it is silence, up to ``most`` samples of it."""
        if piece.samples is not None:
            self._pieces.popleft()
            self._held -= piece.ticks
            return piece.samples
        samples = min(most, piece.ticks * piece.rate_hz // TICKS_HZ)
        piece.ticks -= samples * TICKS_HZ // piece.rate_hz
        if piece.ticks * piece.rate_hz < TICKS_HZ:
            self._pieces.popleft()
        return np.zeros(samples, np.int16)

    def _drop_oldest(self) -> None:
        """Make room: replace the oldest audio with silence, keeping the events in between."""
        kept: list[_Piece | str] = []
        while self._held > self._most:
            piece = self._pieces.popleft()
            if isinstance(piece, str):
                kept.append(piece)
                continue
            if piece.samples is not None:
                self._held -= piece.ticks
                self._dropped += piece.ticks
            last = kept[-1] if kept else None
            if isinstance(last, _Piece):
                last.ticks += piece.ticks
            else:
                kept.append(_Piece(piece.ticks, piece.rate_hz))
        self._pieces.extendleft(reversed(kept))
