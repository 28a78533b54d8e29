"""What is held between the source, the decoding threads and the consumer, and how much of it.

Bounded three ways: seconds of decoded sound, bytes of undecoded clips, and clips. No thread ever
waits to hand a block over: decoding goes on by one block at a time, always with the earliest clip
that may go on, and a clip whose block is being waited for may go on even when the budget is spent.
So no order of consumption can lock up. Starts no thread and decodes nothing itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from quest22.audio.decode import BLOCK_S
from quest22.audio.stalls import Stalls
from quest22.errors import ClipError
from quest22.records import SAMPLE_RATE_HZ, Clip, Failure, Samples
from quest22.settings import MemorySettings

TOLD_EVERY_S = 0.25
"""How soon a wait that goes on is counted."""


def without_media(clip: Clip) -> Clip:
    """The clip without its sound, which is decoded or being decoded."""
    return replace(clip, media=b"")


class QueuedClip:
    """One clip between source and consumer. Its fields belong to the shelf's lock."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.decoder: Iterator[Samples] | None = None
        self.ready: deque[Samples] = deque()
        self.error: BaseException | None = None
        self.running = False
        self.thread = 0
        self.finished = False
        self.wanted = False
        self.dropped = False

    @property
    def undecoded_bytes(self) -> int:
        media = self.clip.media
        return len(media) if isinstance(media, bytes) else getattr(media, "undecoded_bytes", 0)

    @property
    def ready_s(self) -> float:
        return sum(len(block) for block in self.ready) / SAMPLE_RATE_HZ


class DecodeQueue:
    """Clips in source order, with what is decoded of them. Safe to use from several threads."""

    def __init__(self, memory: MemorySettings, waits: Stalls) -> None:
        self._memory = memory
        self._waits = waits
        self._reader: int | None = None
        self._changed = threading.Condition()
        self._order: deque[QueuedClip | Failure | BaseException] = deque()
        self._undecoded: list[QueuedClip] = []
        self._held_s = 0.0
        self._bytes = 0
        self._source_ended = False
        self._stopped = False

    # For the source's thread.

    def wait_for_room(self) -> bool:
        """Wait until another clip may be held; False when all is to end."""

        def free() -> bool:
            few = len(self._order) < self._memory.clips_ahead
            small = self._bytes < self._memory.undecoded_bytes
            return self._stopped or (few and small) or not self._order

        with self._changed:
            self._reader = threading.get_ident()
            self._changed.wait_for(free)
            return not self._stopped

    def enter(self, item: Clip | Failure | BaseException) -> None:
        """Take what the source gave, or raised."""
        with self._changed:
            if isinstance(item, Clip):
                held = QueuedClip(item)
                self._undecoded.append(held)
                self._bytes += held.undecoded_bytes
                self._order.append(held)
            else:
                self._order.append(item)
            self._changed.notify_all()

    def end_source(self) -> None:
        """Nothing more will be entered."""
        with self._changed:
            self._source_ended = True
            self._changed.notify_all()

    # For the decoding threads.

    def next_job(self) -> QueuedClip | None:
        """Wait for the earliest clip that may go on; None when there is no more work."""
        with self._changed:
            while not self._stopped:
                job = self._pick()
                if job is not None:
                    job.running = True
                    job.thread = threading.get_ident()
                    self._held_s += BLOCK_S  # reserved until the block is there
                    return job
                if self._source_ended and not self._undecoded:
                    return None
                self._changed.wait()
        return None

    def _pick(self) -> QueuedClip | None:
        within = self._held_s + BLOCK_S <= self._memory.decoded_s
        for held in self._undecoded:
            if not held.running and (within or held.wanted or held.dropped):
                return held
        return None

    def add_block(self, held: QueuedClip, block: Samples) -> None:
        """A job gave a block."""
        with self._changed:
            self._end_job(held)
            if not held.dropped:
                held.ready.append(block)
                self._held_s += len(block) / SAMPLE_RATE_HZ

    def finish(self, held: QueuedClip, error: BaseException | None = None) -> None:
        """A job found the end of the sound, or an error instead."""
        with self._changed:
            self._end_job(held)
            held.error = error
            held.finished = True
            held.decoder = None
            self._undecoded.remove(held)
            self._bytes -= held.undecoded_bytes
            held.clip = without_media(held.clip)

    def _end_job(self, held: QueuedClip) -> None:
        held.running = False
        held.wanted = False  # or a worker would run on before the consumer is awake
        self._held_s -= BLOCK_S
        self._changed.notify_all()

    # For the consumer.

    def next_item(self) -> QueuedClip | Failure | BaseException | None:
        """The next clip in source order, or what the source raised; None after the last."""
        with self._changed:
            while not self._order and not self._source_ended:
                with self._waits.on("wait_source", [self._reader] if self._reader else []):
                    self._changed.wait(TOLD_EVERY_S)
            if not self._order:
                return None
            self._changed.notify_all()
            return self._order.popleft()

    def take(self, held: QueuedClip) -> Samples | None:
        """The clip's next block, waited for; None after the last; raises what decoding raised."""
        with self._changed:
            if not held.ready and not held.finished:
                held.wanted = True
                self._changed.notify_all()
                while not (held.ready or held.finished or self._stopped):
                    with self._waits.on("wait_audio", self._working_for(held)):
                        self._changed.wait(TOLD_EVERY_S)
            if held.ready:
                block = held.ready.popleft()
                self._held_s -= len(block) / SAMPLE_RATE_HZ
                self._changed.notify_all()
                return block
            if held.error is not None:
                raise held.error
            if not held.finished:
                raise ClipError("audio", "decoding was stopped before the end of the sound")
            return None

    def _working_for(self, held: QueuedClip) -> list[int]:
        """The threads that a clip's next block depends on: all that are busy, if none has it."""
        busy = [each for each in self._undecoded if each.running]
        return [each.thread for each in ([held] if held.running else busy)]

    def drop(self, held: QueuedClip) -> None:
        """The consumer will take no more blocks of this clip."""
        with self._changed:
            held.dropped = True
            self._held_s -= held.ready_s
            held.ready.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        """Everything is to end now: whoever waits is woken."""
        with self._changed:
            self._stopped = True
            self._order.clear()
            for held in self._undecoded:
                held.ready.clear()
            self._changed.notify_all()

    def forget_decoders(self) -> None:
        """Close what unfinished clips hold open, after the threads have ended."""
        with self._changed:
            for held in self._undecoded:
                if not held.running:
                    held.decoder = None
