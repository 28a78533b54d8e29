"""Decodes upcoming clips in threads while the engine runs. Knows no format and no model.

One thread reads the source, several decode; they share a :class:`DecodeQueue`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator

from quest22.audio.decode_queue import DecodeQueue, QueuedClip, Stalls, without_media
from quest22.metrics import Metrics
from quest22.protocols import AudioDecoder
from quest22.records import Audio, Clip, Failure, Samples
from quest22.settings import AudioSettings, MemorySettings
from quest22.system.machine import usable_cores

# Enough that some can wait for a network; no more than can work at once despite the GIL.
MIN_WORKERS = 4
MAX_WORKERS = 8
STOP_WAIT_S = 5.0


def decode_ahead(
    clips: Iterable[Clip | Failure],
    decoder: AudioDecoder,
    settings: AudioSettings,
    metrics: Metrics | None = None,
    memory: MemorySettings | None = None,
) -> Generator[Audio | Failure, None, None]:
    """Clips with their audio, in source order, decoded ahead of the consumer.

    Failures of the source pass through in order. An exception of the source is raised after all
    clips before it. The blocks of several Audios may be taken in any order, also after the last
    Audio was yielded; dropping an Audio frees its decoded blocks. Closing the generator early
    stops all threads; blocks not taken by then raise ClipError. The clip of an Audio has no media,
    which are freed as soon as they are decoded.
    """
    metrics = metrics or Metrics()
    queue = DecodeQueue(memory or MemorySettings.of(), Stalls(metrics))
    threads = _start(queue, clips, decoder, settings.workers, metrics)
    ended = False
    try:
        while (item := queue.next_item()) is not None:
            if isinstance(item, BaseException):
                ended = True
                raise item
            yield (
                Audio(without_media(item.clip), _Blocks(queue, item), item.damage)
                if isinstance(item, QueuedClip)
                else item
            )
        ended = True
    finally:
        if not ended:
            _stop(queue, threads)


class _Blocks:
    """The blocks of one clip for the consumer; drops them from the queue when deleted."""

    def __init__(self, queue: DecodeQueue, queued: QueuedClip) -> None:
        self._queue = queue
        self._queued = queued

    def __iter__(self) -> Iterator[Samples]:
        return self

    def __next__(self) -> Samples:
        block = self._queue.take_block(self._queued)
        if block is None:
            raise StopIteration
        return block

    def __del__(self) -> None:
        self._queue.drop(self._queued)


def _start(
    queue: DecodeQueue,
    clips: Iterable[Clip | Failure],
    decoder: AudioDecoder,
    workers: int | None,
    metrics: Metrics,
) -> list[threading.Thread]:
    def read() -> None:
        _read_source(queue, clips)

    def work() -> None:
        while (queued := queue.next_to_decode()) is not None:
            _decode_block(queue, queued, decoder, metrics)

    count = workers or min(MAX_WORKERS, max(MIN_WORKERS, usable_cores()))
    threads = [
        threading.Thread(target=target, name=f"quest22-audio-{number}", daemon=True)
        for number, target in enumerate([read] + [work] * count)
    ]
    for thread in threads:
        thread.start()
    return threads


def _stop(queue: DecodeQueue, threads: list[threading.Thread]) -> None:
    """End all threads; waits a few seconds at most for one that is blocked in a read."""
    queue.stop()
    deadline = time.monotonic() + STOP_WAIT_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    queue.close_decoders()


def _read_source(queue: DecodeQueue, clips: Iterable[Clip | Failure]) -> None:
    try:
        source = iter(clips)
        while queue.wait_for_room() and (item := next(source, None)) is not None:
            queue.put(item)
        if isinstance(source, Generator):
            source.close()
    except BaseException as exc:
        queue.put(exc)
    finally:
        queue.end_source()


def _decode_block(
    queue: DecodeQueue, queued: QueuedClip, decoder: AudioDecoder, metrics: Metrics
) -> None:
    """Decode one more block of a clip; an error is raised where the block would be taken."""
    try:
        block = None if queued.dropped else _next_block(queued, decoder, metrics)
    except BaseException as exc:
        queue.finish(queued, exc)
        return
    if block is None:
        queue.finish(queued)
    else:
        queue.add_block(queued, block)


def _next_block(queued: QueuedClip, decoder: AudioDecoder, metrics: Metrics) -> Samples | None:
    begun = time.thread_time()
    try:
        if queued.decoder is None:
            audio = decoder.decode(queued.clip)
            queued.decoder, queued.found = iter(audio.blocks), audio.damage
        block = next(queued.decoder, None)
        if block is None:
            queued.damage.extend(queued.found)
        return block
    finally:
        metrics.add_seconds("audio", time.thread_time() - begun)
