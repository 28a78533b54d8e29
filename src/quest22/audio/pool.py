"""Decodes upcoming clips in threads beside the engine. Knows no format and no model.

One thread reads the source, several decode; what they share is the :class:`DecodeQueue`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator, Iterable, Iterator

from quest22.audio.decode_queue import DecodeQueue, QueuedClip, without_media
from quest22.audio.stalls import Stalls
from quest22.metrics import Metrics
from quest22.protocols import AudioDecoder
from quest22.records import Audio, Clip, Failure, Samples
from quest22.settings import AudioSettings, MemorySettings

# At least so many that some can wait for a network; at most so many as Python's lock lets work.
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
    """Clips with their sound, in source order, decoded ahead of the consumer.

    Failures of the source pass through in their place. An exception of the source is raised after
    every clip before it came out. The blocks of several Audios may be taken in any order, also
    after the last Audio was given; dropping an Audio drops what was decoded of it. Closing the
    generator early stops all threads; blocks not taken by then raise ClipError. The clip of an
    Audio is without its media, which are let go as soon as they are decoded.
    """
    metrics = metrics or Metrics()
    shelf = DecodeQueue(memory or MemorySettings.of(), Stalls(metrics))
    threads = _start(shelf, clips, decoder, settings.workers, metrics)
    ended = False
    try:
        while (item := shelf.next_item()) is not None:
            if isinstance(item, BaseException):
                ended = True
                raise item
            yield (
                Audio(without_media(item.clip), _Blocks(shelf, item))
                if isinstance(item, QueuedClip)
                else item
            )
        ended = True
    finally:
        if not ended:
            _stop(shelf, threads)


class _Blocks:
    """A clip's blocks as the consumer takes them; dropping it tells the shelf."""

    def __init__(self, shelf: DecodeQueue, held: QueuedClip) -> None:
        self._shelf = shelf
        self._held = held

    def __iter__(self) -> Iterator[Samples]:
        return self

    def __next__(self) -> Samples:
        block = self._shelf.take(self._held)
        if block is None:
            raise StopIteration
        return block

    def __del__(self) -> None:
        self._shelf.drop(self._held)


def _start(
    shelf: DecodeQueue,
    clips: Iterable[Clip | Failure],
    decoder: AudioDecoder,
    workers: int | None,
    metrics: Metrics,
) -> list[threading.Thread]:
    def read() -> None:
        _read_source(shelf, clips)

    def work() -> None:
        while (held := shelf.next_job()) is not None:
            _advance(shelf, held, decoder, metrics)

    count = workers or min(MAX_WORKERS, max(MIN_WORKERS, os.cpu_count() or 1))
    threads = [
        threading.Thread(target=target, name=f"quest22-audio-{number}", daemon=True)
        for number, target in enumerate([read] + [work] * count)
    ]
    for thread in threads:
        thread.start()
    return threads


def _stop(shelf: DecodeQueue, threads: list[threading.Thread]) -> None:
    """End all threads; give up after a few seconds on one that hangs in a read."""
    shelf.stop()
    deadline = time.monotonic() + STOP_WAIT_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    shelf.forget_decoders()


def _read_source(shelf: DecodeQueue, clips: Iterable[Clip | Failure]) -> None:
    try:
        source = iter(clips)
        while shelf.wait_for_room() and (item := next(source, None)) is not None:
            shelf.enter(item)
        if isinstance(source, Generator):
            source.close()
    except BaseException as exc:
        shelf.enter(exc)
    finally:
        shelf.end_source()


def _advance(shelf: DecodeQueue, held: QueuedClip, decoder: AudioDecoder, metrics: Metrics) -> None:
    """Decode one more block of a clip; whatever goes wrong comes out where the block would."""
    try:
        block = None if held.dropped else _next_block(held, decoder, metrics)
    except BaseException as exc:
        shelf.finish(held, exc)
        return
    if block is None:
        shelf.finish(held)
    else:
        shelf.add_block(held, block)


def _next_block(held: QueuedClip, decoder: AudioDecoder, metrics: Metrics) -> Samples | None:
    begun = time.thread_time()
    try:
        if held.decoder is None:
            held.decoder = iter(decoder.decode(held.clip).blocks)
        return next(held.decoder, None)
    finally:
        metrics.add_seconds("audio", time.thread_time() - begun)
