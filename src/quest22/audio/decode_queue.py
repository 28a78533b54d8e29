"""The queue between the source, the decoding threads and the consumer.

Bounded by seconds of decoded audio, by bytes of encoded clips, and by clips. Clips are decoded one
block at a time, always the earliest clip that may proceed; a clip whose block the consumer is
waiting for may proceed even when the budget is used up. No thread thus waits to hand over a block,
and no order of consumption can deadlock. Starts no thread and decodes nothing itself.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from quest22.audio.decode import BLOCK_S
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Clip, Damage, Failure, Samples
from quest22.settings import MemorySettings


class Stalls:
    """Splits the consumer's waits by what the threads it waits for are doing meanwhile."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @contextmanager
    def waiting(self, name: str, threads: Collection[int]) -> Iterator[None]:
        """Time a wait for these threads (by ident).

        While they wait for the network it counts as ``wait_network``, else as ``name``; of several
        threads the mean counts.
        """
        begun_s, before_s = time.perf_counter(), self._network_wait_s(threads)
        yield
        waited_s = time.perf_counter() - begun_s
        network_s = min(max(self._network_wait_s(threads) - before_s, 0.0), waited_s)
        self._metrics.add_seconds("wait_network", network_s)
        self._metrics.add_seconds(name, waited_s - network_s)

    def _network_wait_s(self, threads: Collection[int]) -> float:
        return sum(map(self._metrics.network_wait_s, threads)) / max(len(threads), 1)


METRICS_INTERVAL_S = 0.25
"""How often a wait in progress is added to the metrics."""


def without_media(clip: Clip) -> Clip:
    """The clip without its media, to free them once they are decoded."""
    return replace(clip, media=b"")


class QueuedClip:
    """One clip between source and consumer. Its fields are guarded by the queue's lock."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.decoder: Iterator[Samples] | None = None
        self.found: list[Damage] = []
        self.damage: list[Damage] = []  # the consumer's: complete at the end
        self.ready: deque[Samples] = deque()
        self.error: BaseException | None = None
        self.running = False
        self.thread = 0
        self.finished = False
        self.urgent = False
        self.dropped = False

    @property
    def undecoded_bytes(self) -> int:
        media = self.clip.media
        return len(media) if isinstance(media, bytes) else getattr(media, "undecoded_bytes", 0)

    @property
    def ready_s(self) -> float:
        return sum(block.size for block in self.ready) / SAMPLE_RATE_HZ


class DecodeQueue:
    """Clips in source order with their decoded blocks. Safe to use from several threads."""

    def __init__(self, memory: MemorySettings, stalls: Stalls) -> None:
        self._memory = memory
        self._stalls = stalls
        self._reader: int | None = None
        self._condition = threading.Condition()
        self._items: deque[QueuedClip | Failure | BaseException] = deque()
        self._unfinished: list[QueuedClip] = []
        self._buffered_s = 0.0
        self._bytes = 0
        self._source_ended = False
        self._stopped = False

    # Called by the source's thread.

    def wait_for_room(self) -> bool:
        """Wait until there is room for another clip; False if the queue was stopped."""

        def has_room() -> bool:
            clips_left = len(self._items) < self._memory.clips_ahead
            bytes_left = self._bytes < self._memory.undecoded_bytes
            return self._stopped or (clips_left and bytes_left) or not self._items

        with self._condition:
            self._reader = threading.get_ident()
            self._condition.wait_for(has_room)
            return not self._stopped

    def put(self, item: Clip | Failure | BaseException) -> None:
        """Add what the source yielded or raised."""
        with self._condition:
            if isinstance(item, Clip):
                queued = QueuedClip(item)
                self._unfinished.append(queued)
                self._bytes += queued.undecoded_bytes
                self._items.append(queued)
            else:
                self._items.append(item)
            self._condition.notify_all()

    def end_source(self) -> None:
        """The source has nothing more to add."""
        with self._condition:
            self._source_ended = True
            self._condition.notify_all()

    # Called by the decoding threads.

    def next_to_decode(self) -> QueuedClip | None:
        """Wait for the earliest clip that may proceed; None when there is no more work."""
        with self._condition:
            while not self._stopped:
                queued = self._next_runnable()
                if queued is not None:
                    queued.running = True
                    queued.thread = threading.get_ident()
                    self._buffered_s += BLOCK_S  # reserved until the block is decoded
                    return queued
                if self._source_ended and not self._unfinished:
                    return None
                self._condition.wait()
        return None

    def _next_runnable(self) -> QueuedClip | None:
        within_budget = self._buffered_s + BLOCK_S <= self._memory.decoded_s
        for queued in self._unfinished:
            if not queued.running and (within_budget or queued.urgent or queued.dropped):
                return queued
        return None

    def add_block(self, queued: QueuedClip, block: Samples) -> None:
        """Add a decoded block."""
        with self._condition:
            self._stop_running(queued)
            if not queued.dropped:
                queued.ready.append(block)
                self._buffered_s += block.size / SAMPLE_RATE_HZ

    def finish(self, queued: QueuedClip, error: BaseException | None = None) -> None:
        """The clip's audio has ended, or decoding it failed."""
        with self._condition:
            self._stop_running(queued)
            queued.error = error
            queued.finished = True
            queued.decoder = None
            self._unfinished.remove(queued)
            self._bytes -= queued.undecoded_bytes
            queued.clip = without_media(queued.clip)

    def _stop_running(self, queued: QueuedClip) -> None:
        queued.running = False
        queued.urgent = False  # or a worker would continue before the consumer wakes up
        self._buffered_s -= BLOCK_S
        self._condition.notify_all()

    # Called by the consumer.

    def next_item(self) -> QueuedClip | Failure | BaseException | None:
        """The next clip in source order, or the source's exception; None after the last."""
        with self._condition:
            while not self._items and not self._source_ended:
                with self._stalls.waiting("wait_source", [self._reader] if self._reader else []):
                    self._condition.wait(METRICS_INTERVAL_S)
            if not self._items:
                return None
            self._condition.notify_all()
            return self._items.popleft()

    def take_block(self, queued: QueuedClip) -> Samples | None:
        """Wait for the clip's next block; None after the last; raises what decoding raised."""
        with self._condition:
            if not queued.ready and not queued.finished:
                queued.urgent = True
                self._condition.notify_all()
                while not (queued.ready or queued.finished or self._stopped):
                    with self._stalls.waiting("wait_audio", self._working_for(queued)):
                        self._condition.wait(METRICS_INTERVAL_S)
            if queued.ready:
                block = queued.ready.popleft()
                self._buffered_s -= block.size / SAMPLE_RATE_HZ
                self._condition.notify_all()
                return block
            if queued.error is not None:
                raise queued.error
            if not queued.finished:
                raise ClipError("audio", "decoding was stopped before the end of the sound")
            return None

    def _working_for(self, queued: QueuedClip) -> list[int]:
        """The threads that the clip's next block depends on: all busy ones if none decodes it."""
        busy = [each for each in self._unfinished if each.running]
        return [each.thread for each in ([queued] if queued.running else busy)]

    def drop(self, queued: QueuedClip) -> None:
        """The consumer will take no more blocks of this clip."""
        with self._condition:
            queued.dropped = True
            self._buffered_s -= queued.ready_s
            queued.ready.clear()
            self._condition.notify_all()

    def stop(self) -> None:
        """End everything now and wake all waiting threads."""
        with self._condition:
            self._stopped = True
            self._items.clear()
            for queued in self._unfinished:
                queued.ready.clear()
            self._condition.notify_all()

    def close_decoders(self) -> None:
        """Close the decoders of unfinished clips, after the threads have ended."""
        with self._condition:
            for queued in self._unfinished:
                if not queued.running:
                    queued.decoder = None
