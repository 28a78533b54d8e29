"""Audio that one thread feeds and another takes, block by block; bounded in seconds."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from quest22.errors import ClipError, UsageError
from quest22.records import SAMPLE_RATE_HZ, Samples

CANCELLED = "it was cancelled"


def ignore() -> None:
    """Does nothing: the default callback."""


class FedSound:
    """A :class:`quest22.runtime.clip_state.SoundInput` that is fed, and flushed at its end.

    Up to ``limit_s`` seconds are buffered. ``on_fed`` is called when there is something to take,
    ``on_taken`` when there may be room again or no more is needed.
    """

    def __init__(
        self,
        limit_s: float,
        on_fed: Callable[[], None] = ignore,
        on_taken: Callable[[], None] = ignore,
    ) -> None:
        self._limit = limit_s * SAMPLE_RATE_HZ
        self._on_fed = on_fed
        self._on_taken = on_taken
        self._changed = threading.Condition()
        self._blocks: deque[Samples] = deque()
        self._waiting = 0
        self._flushed = False
        self._stopped = False
        self._error: Exception | None = None

    # Called by the feeding thread.

    def feed(self, samples: Samples) -> bool:
        """Add a block, ``[samples]``, once there is room; False if no more audio is needed.

        Raises :class:`UsageError` for audio that is not mono float32, or that follows the end.
        """
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise UsageError(
                f"samples of shape {samples.shape} and type {samples.dtype}: expected mono float32 "
                "at 16 kHz, shape [samples]"
            )
        with self._changed:
            self._changed.wait_for(lambda: self.has_room)
            if self._stopped:
                return False
            if self._flushed:
                raise UsageError("audio was fed after flush: expected no more")
            self._blocks.append(samples.copy())
            self._waiting += len(samples)
        self._on_fed()
        return True

    def flush(self, error: Exception | None = None) -> None:
        """The audio has ended, or breaks off with an error, which ``next_block`` then raises."""
        with self._changed:
            if not self._flushed:
                self._flushed, self._error = True, error
            self._changed.notify_all()
        self._on_fed()

    @property
    def has_room(self) -> bool:
        """Whether ``feed`` would not wait."""
        return self._waiting < self._limit or self._stopped or self._flushed

    @property
    def waiting_s(self) -> float:
        """Seconds of buffered audio."""
        return self._waiting / SAMPLE_RATE_HZ

    @property
    def ended(self) -> bool:
        """Whether nothing more may be fed."""
        return self._flushed or self._stopped

    # Called by the taking thread.

    @property
    def available(self) -> bool:
        """Whether a block or the end is available."""
        return not self._stopped and (bool(self._blocks) or self._flushed)

    def next_block(self) -> Samples | None:
        """The next block; None at the end. Raises :class:`ClipError` if it has been stopped."""
        with self._changed:
            if self._stopped:
                raise ClipError("cancelled", CANCELLED)
            block = self._blocks.popleft() if self._blocks else None
            if block is None and self._error is not None:
                raise self._error
            self._waiting -= 0 if block is None else len(block)
            self._changed.notify_all()
        self._on_taken()
        return block

    def stop(self) -> None:
        """No more audio is needed: drop the buffer, and wake threads that wait in ``feed``."""
        with self._changed:
            self._stopped = True
            self._blocks.clear()
            self._waiting = 0
            self._changed.notify_all()
        self._on_taken()
