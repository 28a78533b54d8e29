"""Audio that comes in live or is decoded for the loop, block by block; bounded in seconds.

One thread feeds an :class:`AudioQueue` and another takes from it. A :class:`LiveDecodePool` feeds
the queues of many clips in a few threads, while buffers have room: the most urgent clip first, one
block at a time, so that a clip whose file is slow occupies only one thread. It differs from
:mod:`quest22.audio.pool` in that clips come and leave at any time, in order of urgency.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from quest22.errors import ClipError, UsageError
from quest22.records import SAMPLE_RATE_HZ, Samples, check_samples
from quest22.runtime.clip_state import Mark, Priority

CANCELLED = "it was cancelled"
WORKERS = 4


def ignore() -> None:
    """Does nothing: the default callback."""


class AudioQueue:
    """A :class:`quest22.runtime.clip_state.AudioInput` that is fed, and flushed at its end.

    Up to ``limit_s`` seconds are buffered. ``on_fed`` is called when there is something to take,
    ``on_taken`` when there may be room again or no more is needed.
    """

    def __init__(
        self,
        limit_s: float,
        on_fed: Callable[[], None] = ignore,
        on_taken: Callable[[], None] = ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._available_since: float | None = None
        self._limit = limit_s * SAMPLE_RATE_HZ
        self._on_fed = on_fed
        self._on_taken = on_taken
        self._changed = threading.Condition()
        self._blocks: deque[Samples | Mark] = deque()
        self._waiting = 0
        self._flushed = False
        self._stopped = False
        self._error: Exception | None = None

    # Called by the feeding thread.

    def feed(self, samples: Samples) -> bool:
        """Add a block, ``[samples]``, once there is room; False if no more audio is needed.

        Raises :class:`UsageError` for audio that is not mono float32, or that follows the end.
        """
        check_samples(samples)
        return self.put(samples)

    def put(self, samples: Samples) -> bool:
        """The same for a decoded block, which may be ``[samples, channels]``."""
        with self._changed:
            self._changed.wait_for(lambda: self.has_room)
            if self._stopped:
                return False
            if self._flushed:
                raise UsageError("audio was fed after flush: expected no more")
            self._note_available()
            self._blocks.append(samples.copy())
            self._waiting += samples.size
        self._on_fed()
        return True

    def commit(self) -> None:
        """What was fed so far is complete, though more may follow."""
        with self._changed:
            if self.ended or (self._blocks and self._blocks[-1] is Mark.COMMIT):
                return
            self._blocks.append(Mark.COMMIT)
        self._on_fed()

    def flush(self, error: Exception | None = None) -> None:
        """The audio has ended, or breaks off with an error, which ``next_block`` then raises."""
        with self._changed:
            if not self._flushed:
                self._note_available()
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
    def flushed(self) -> bool:
        """Whether the end was told."""
        return self._flushed

    @property
    def ended(self) -> bool:
        """Whether nothing more may be fed."""
        return self._flushed or self._stopped

    def _note_available(self) -> None:
        if self._available_since is None:
            self._available_since = self._clock()

    # Called by the taking thread.

    @property
    def available_since(self) -> float | None:
        """Since when something is available, on the clock; None if nothing is."""
        return self._available_since

    @property
    def available(self) -> bool:
        """Whether a block or the end is available."""
        return not self._stopped and (bool(self._blocks) or self._flushed)

    def next_block(self) -> Samples | Mark | None:
        """The next block or mark; None at the end. Raises :class:`ClipError` if it was stopped."""
        with self._changed:
            if self._stopped:
                raise ClipError("cancelled", CANCELLED)
            block = self._blocks.popleft() if self._blocks else None
            if block is None and self._error is not None:
                raise self._error
            self._waiting -= 0 if block is None or isinstance(block, Mark) else block.size
            if not self._blocks and not self._flushed:
                self._available_since = None
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


@dataclass(slots=True, eq=False)
class _Source:
    """A clip's blocks, and their destination; ``urgency`` orders the clips."""

    urgency: tuple[Priority, float, int]
    blocks: Iterator[Samples]
    sound: AudioQueue
    running: bool = False


class LiveDecodePool:
    """Feeds audio from iterators of blocks; thread-safe.

    All inputs together buffer at most ``limit_s`` seconds; only the most urgent one may exceed
    that.
    """

    def __init__(self, limit_s: float, workers: int = WORKERS) -> None:
        self._limit_s = limit_s
        self._changed = threading.Condition()
        self._sources: list[_Source] = []
        self._stopped = False
        self._workers = workers
        self._threads: list[threading.Thread] = []

    def add(
        self, blocks: Iterator[Samples], sound: AudioQueue, urgency: tuple[Priority, float, int]
    ) -> None:
        """Feed an input until its blocks end or it is stopped; then flush it."""
        with self._changed:
            self._sources.append(_Source(urgency, blocks, sound))
            self._sources.sort(key=lambda source: source.urgency)
            self._changed.notify_all()
            if len(self._threads) < self._workers:
                number = len(self._threads)
                thread = threading.Thread(
                    target=self._work, name=f"quest22-sound-{number}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def wake(self) -> None:
        """An input has room again, or was stopped."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """End the threads; a thread that is blocked in a read is abandoned."""
        with self._changed:
            self._stopped = True
            self._sources.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while (source := self._next_source()) is not None:
            ended = _advance(source)
            with self._changed:
                source.running = False
                if ended and source in self._sources:
                    self._sources.remove(source)
                self._changed.notify_all()
            del source  # a thread that waits keeps nobody's sound

    def _next_source(self) -> _Source | None:
        """Wait for the most urgent source that may proceed; None on shutdown."""
        with self._changed:
            while not self._stopped:
                source = self._pick()
                if source is not None:
                    source.running = True
                    return source
                self._changed.wait()
        return None

    def _pick(self) -> _Source | None:
        within = sum(source.sound.waiting_s for source in self._sources) < self._limit_s
        for source in self._sources if within else self._sources[:1]:
            if source.sound.has_room and not source.running:
                return source
        return None


def _advance(source: _Source) -> bool:
    """Feed one more block; True if that was the last. An error is raised in place of the block."""
    try:
        block = None if source.sound.ended else next(source.blocks, None)
        if block is not None and source.sound.put(block):
            return False
    except Exception as error:
        source.sound.flush(error)
        return True
    source.sound.flush()
    return True
