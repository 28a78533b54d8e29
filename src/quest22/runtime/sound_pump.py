"""Decodes the audio of many clips at once, in a few threads, while buffers have room.

The most urgent clip is served first, one block at a time, so that a clip whose file is slow
occupies only one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from quest22.records import Samples
from quest22.runtime.clip_state import Priority
from quest22.runtime.fed_sound import FedSound

WORKERS = 4


@dataclass(slots=True, eq=False)
class _Source:
    """A clip's blocks, and their destination; ``urgency`` orders the clips."""

    urgency: tuple[Priority, float, int]
    blocks: Iterator[Samples]
    sound: FedSound
    running: bool = False


class SoundPump:
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
        self, blocks: Iterator[Samples], sound: FedSound, urgency: tuple[Priority, float, int]
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
        if block is not None and source.sound.feed(block):
            return False
    except Exception as error:
        source.sound.flush(error)
        return True
    source.sound.flush()
    return True
