from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from quest22.audio.decode import BLOCK_S
from quest22.audio.decode_queue import DecodeQueue, QueuedClip, Stalls
from quest22.audio.pool import decode_ahead
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Audio, Clip, Failure, Origin, Samples
from quest22.settings import AudioSettings, MemorySettings

BLOCK = np.zeros(BLOCK_S * SAMPLE_RATE_HZ, np.float32)


def clip(key: str, media: bytes = b"12") -> Clip:
    return Clip(key, key, media, Origin("test"))


@pytest.fixture
def queue() -> DecodeQueue:
    return DecodeQueue(MemorySettings.of(), Stalls(Metrics()))


def put(queue: DecodeQueue, *keys: str) -> None:
    for key in keys:
        queue.put(clip(key))


def next_clip(queue: DecodeQueue) -> QueuedClip:
    found = queue.next_to_decode()
    assert found is not None
    return found


def test_items_leave_in_source_order(queue: DecodeQueue) -> None:
    failure = Failure("b", "b", "source", "gone", Origin("test"))
    queue.put(clip("a"))
    queue.put(failure)
    queue.end_source()
    first = queue.next_item()
    assert isinstance(first, QueuedClip)
    assert first.clip.key == "a"
    assert queue.next_item() is failure
    assert queue.next_item() is None


def test_a_clip_is_decoded_by_one_thread_at_a_time(queue: DecodeQueue) -> None:
    put(queue, "a", "b")
    first, second = next_clip(queue), next_clip(queue)
    assert [first.clip.key, second.clip.key] == ["a", "b"]
    queue.add_block(first, BLOCK)
    assert next_clip(queue) is first


def test_blocks_are_taken_in_order_and_media_freed_at_the_end(queue: DecodeQueue) -> None:
    put(queue, "a")
    queued = next_clip(queue)
    blocks: list[Samples] = [BLOCK[:3], BLOCK[:5]]
    for block in blocks:
        queue.add_block(queued, block)
        assert next_clip(queue) is queued
    queue.finish(queued)
    taken = [queue.take_block(queued) for _ in range(3)]
    assert [None if block is None else len(block) for block in taken] == [3, 5, None]
    assert queued.clip.media == b""


def test_an_error_comes_after_the_blocks_before_it(queue: DecodeQueue) -> None:
    put(queue, "a")
    queued = next_clip(queue)
    queue.add_block(queued, BLOCK)
    assert next_clip(queue) is queued
    queue.finish(queued, ClipError("audio", "damaged"))
    assert queue.take_block(queued) is not None
    with pytest.raises(ClipError, match="damaged"):
        queue.take_block(queued)


def test_a_clip_that_is_waited_for_goes_beyond_the_budget() -> None:
    queue = DecodeQueue(replace(MemorySettings.of(), decoded_s=BLOCK_S), Stalls(Metrics()))
    put(queue, "a", "b")
    first = next_clip(queue)
    queue.add_block(first, BLOCK)
    assert queue._next_runnable() is None  # one block is all that the budget holds
    with queue._condition:
        second = queue._unfinished[1]
    taker = threading.Thread(target=queue.take_block, args=[second])
    taker.start()
    assert next_clip(queue) is second
    queue.finish(second)
    taker.join(10)
    assert not taker.is_alive()


def test_stopping_wakes_everybody(queue: DecodeQueue) -> None:
    put(queue, "a")
    queued = next_clip(queue)
    ended: list[object] = []

    def take() -> None:
        try:
            queue.take_block(queued)
        except ClipError as exc:
            ended.append(str(exc))

    threads = [
        threading.Thread(target=take),
        threading.Thread(target=lambda: ended.append(queue.next_to_decode())),
    ]
    for thread in threads:
        thread.start()
    queue.stop()
    for thread in threads:
        thread.join(10)
    assert len(ended) == 2
    assert not queue.wait_for_room()


WAIT_S = 0.1
PARTS = ("wait_network", "wait_source", "wait_audio")


class _Decoder:
    """Waits for a network, or works, before each clip's only block."""

    def __init__(self, metrics: Metrics, where: str) -> None:
        self._metrics = metrics
        self._where = where

    def decode(self, clip: Clip) -> Audio:
        def blocks() -> Iterator[np.ndarray]:
            if self._where == "network behind a clip":
                with self._metrics.network_wait():
                    time.sleep(WAIT_S)
            elif self._where == "decoding":
                time.sleep(WAIT_S)
            yield np.zeros(1600, np.float32)

        return Audio(clip, blocks())


def _source(metrics: Metrics, where: str) -> Iterator[Clip]:
    for number in range(3):
        if where == "network before a clip":
            with metrics.network_wait():
                time.sleep(WAIT_S)
        elif where == "source":
            time.sleep(WAIT_S)
        yield Clip(str(number), "n", b"", Origin("test"))


@pytest.mark.parametrize(
    ("where", "part"),
    [
        ("network before a clip", "wait_network"),
        ("network behind a clip", "wait_network"),
        ("source", "wait_source"),
        ("decoding", "wait_audio"),
    ],
)
def test_a_wait_is_called_what_it_is(where: str, part: str) -> None:
    metrics = Metrics()
    settings = AudioSettings(workers=1)
    for audio in decode_ahead(_source(metrics, where), _Decoder(metrics, where), settings, metrics):
        assert isinstance(audio, Audio)
        list(audio.blocks)
    seconds = metrics.seconds()
    others = sum(seconds.get(other, 0.0) for other in PARTS if other != part)
    assert seconds[part] > 2 * others  # of 0.3 s; the rest is threads that wake each other
    assert sum(seconds.get(each, 0.0) for each in PARTS) >= WAIT_S


def test_a_network_wait_counts_while_it_lasts_and_once() -> None:
    metrics, inside, leave = Metrics(), threading.Event(), threading.Event()

    def work() -> None:
        with metrics.network_wait(), metrics.network_wait():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(10)
    ident = thread.ident or 0
    begun = metrics.network_wait_s(ident)
    assert metrics.network_wait_s(ident) > begun
    leave.set()
    thread.join()
    ended = metrics.network_wait_s(ident)
    assert metrics.network_wait_s(ident) == ended
    assert metrics.network_wait_s(-1) == 0.0
