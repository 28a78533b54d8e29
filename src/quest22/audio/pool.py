"""Decodes upcoming clips in threads beside the engine. Knows no format and no model.

One thread reads the source, several advance decoders by one block at a time: always the earliest
clip that may go on. No thread ever waits to hand a block over, so no order of consumption can
lock up: a clip whose block is being waited for may go on even when the budget is spent.

What is held is bounded three ways: seconds of decoded sound, bytes of undecoded clips, and clips.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from quest22.audio.decode import BLOCK_S
from quest22.errors import ClipError
from quest22.meter import Meter
from quest22.records import SAMPLE_RATE_HZ, Audio, Clip, Failure, Samples
from quest22.settings import AudioSettings
from quest22.stages import Decoder

MAX_CLIPS_AHEAD = 256
MAX_BYTES_AHEAD = 256 * 2**20
MAX_WORKERS = 8
STOP_WAIT_S = 5.0


def decode_ahead(
    clips: Iterable[Clip | Failure],
    decoder: Decoder,
    settings: AudioSettings,
    meter: Meter | None = None,
) -> Generator[Audio | Failure, None, None]:
    """Clips with their sound, in source order, decoded ahead of the consumer.

    Failures of the source pass through in their place. An exception of the source is raised after
    every clip before it came out. The blocks of several Audios may be taken in any order, also
    after the last Audio was given; dropping an Audio drops what was decoded of it. Closing the
    generator early stops all threads; blocks not taken by then raise ClipError.
    """
    pool = _Pool(decoder, settings, meter or Meter())
    pool.start(clips)
    ended = False
    try:
        while (item := pool.next_item()) is not None:
            if isinstance(item, BaseException):
                ended = True
                raise item
            yield item
        ended = True
    finally:
        if not ended:
            pool.stop()


class _Decoding:
    """One clip between source and consumer. Guarded by the pool's lock."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.decoder: Iterator[Samples] | None = None
        self.ready: deque[Samples] = deque()
        self.error: BaseException | None = None
        self.running = False
        self.finished = False
        self.wanted = False
        self.dropped = False

    @property
    def undecoded_bytes(self) -> int:
        return len(self.clip.media) if isinstance(self.clip.media, bytes) else 0


class _Blocks:
    """A clip's blocks as the consumer takes them; dropping it tells the pool."""

    def __init__(self, pool: _Pool, decoding: _Decoding) -> None:
        self._pool = pool
        self._decoding = decoding

    def __iter__(self) -> Iterator[Samples]:
        return self

    def __next__(self) -> Samples:
        block = self._pool.take(self._decoding)
        if block is None:
            raise StopIteration
        return block

    def close(self) -> None:
        self._pool.drop(self._decoding)

    def __del__(self) -> None:
        self.close()


class _Pool:
    def __init__(self, decoder: Decoder, settings: AudioSettings, meter: Meter) -> None:
        self._decoder = decoder
        self._meter = meter
        self._budget_s = settings.prefetch_s
        self._workers = settings.workers or min(MAX_WORKERS, max(2, os.cpu_count() or 1))
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._order: deque[_Decoding | Failure | BaseException] = deque()
        self._open: list[_Decoding] = []
        self._held_s = 0.0
        self._bytes = 0
        self._source_ended = False
        self._stopped = False

    def start(self, clips: Iterable[Clip | Failure]) -> None:
        jobs: list[tuple[Any, tuple[Any, ...]]] = [(self._read_source, (clips,))]
        jobs += [(self._work, ())] * self._workers
        for number, (target, args) in enumerate(jobs):
            name = f"quest22-audio-{number}"
            self._threads.append(threading.Thread(target=target, args=args, name=name, daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all threads; give up after a few seconds on one that hangs in a read."""
        with self._changed:
            self._stopped = True
            self._order.clear()
            for decoding in self._open:
                decoding.ready.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(STOP_WAIT_S)
        with self._changed:
            for decoding in self._open:
                if not decoding.running:
                    decoding.decoder = None

    # -- the consumer's side

    def next_item(self) -> Audio | Failure | BaseException | None:
        """The next clip in source order, or what the source raised; None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._order or self._source_ended)
            if not self._order:
                return None
            item = self._order.popleft()
            self._changed.notify_all()
        if isinstance(item, _Decoding):
            return Audio(item.clip, _Blocks(self, item))
        return item

    def take(self, decoding: _Decoding) -> Samples | None:
        """The clip's next block, waited for; None after the last."""
        with self._changed:
            if not decoding.ready and not decoding.finished:
                decoding.wanted = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: decoding.ready or decoding.finished or self._stopped)
                decoding.wanted = False
            if decoding.ready:
                block = decoding.ready.popleft()
                self._held_s -= len(block) / SAMPLE_RATE_HZ
                self._changed.notify_all()
                return block
            if decoding.error is not None:
                raise decoding.error
            if not decoding.finished:
                raise ClipError("audio", "decoding was stopped before the end of the sound")
            return None

    def drop(self, decoding: _Decoding) -> None:
        """The consumer will take no more blocks of this clip."""
        with self._changed:
            decoding.dropped = True
            self._held_s -= sum(len(block) for block in decoding.ready) / SAMPLE_RATE_HZ
            decoding.ready.clear()
            self._changed.notify_all()

    # -- the source's thread

    def _read_source(self, clips: Iterable[Clip | Failure]) -> None:
        try:
            source = iter(clips)
            while self._has_room() and (item := next(source, None)) is not None:
                self._enter(item)
            if isinstance(source, Generator):
                source.close()
        except BaseException as exc:
            self._enter(exc)
        finally:
            with self._changed:
                self._source_ended = True
                self._changed.notify_all()

    def _has_room(self) -> bool:
        """Wait until another clip may be held; False when all is to end."""

        def free() -> bool:
            few = len(self._order) < MAX_CLIPS_AHEAD and self._bytes < MAX_BYTES_AHEAD
            return self._stopped or few or not self._order

        with self._changed:
            self._changed.wait_for(free)
            return not self._stopped

    def _enter(self, item: Clip | Failure | BaseException) -> None:
        with self._changed:
            if isinstance(item, Clip):
                decoding = _Decoding(item)
                self._open.append(decoding)
                self._bytes += decoding.undecoded_bytes
                self._order.append(decoding)
            else:
                self._order.append(item)
            self._changed.notify_all()

    # -- the workers' threads

    def _work(self) -> None:
        while (decoding := self._next_job()) is not None:
            block: Samples | None = None
            error: BaseException | None = None
            try:
                block = self._advance(decoding)
            except BaseException as exc:
                error = exc
            self._file(decoding, block, error)

    def _advance(self, decoding: _Decoding) -> Samples | None:
        if decoding.dropped:
            return None
        begun = time.thread_time()
        try:
            if decoding.decoder is None:
                decoding.decoder = iter(self._decoder.decode(decoding.clip).blocks)
            return next(decoding.decoder, None)
        finally:
            self._meter.add_seconds("audio", time.thread_time() - begun)

    def _next_job(self) -> _Decoding | None:
        """Wait for the earliest clip that may go on; None when there is no more work."""
        with self._changed:
            while not self._stopped:
                job = self._pick()
                if job is not None:
                    job.running = True
                    self._held_s += BLOCK_S
                    return job
                if self._source_ended and not self._open:
                    return None
                self._changed.wait()
        return None

    def _pick(self) -> _Decoding | None:
        idle = (decoding for decoding in self._open if not decoding.running)
        within = self._held_s + BLOCK_S <= self._budget_s
        for decoding in idle:
            if within or decoding.wanted or decoding.dropped:
                return decoding
        return None

    def _file(
        self, decoding: _Decoding, block: Samples | None, error: BaseException | None
    ) -> None:
        """Take a worker's result in, and the reservation for it back."""
        with self._changed:
            decoding.running = False
            decoding.wanted = False
            self._held_s -= BLOCK_S
            if block is not None and not decoding.dropped:
                decoding.ready.append(block)
                self._held_s += len(block) / SAMPLE_RATE_HZ
            if block is None:
                decoding.error = error
                decoding.finished = True
                decoding.decoder = None
                self._open.remove(decoding)
                self._bytes -= decoding.undecoded_bytes
            self._changed.notify_all()
