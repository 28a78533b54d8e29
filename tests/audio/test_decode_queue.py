from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from quest22.audio.decode import BLOCK_S
from quest22.audio.decode_queue import DecodeQueue, QueuedClip
from quest22.audio.stalls import Stalls
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Clip, Failure, Origin, Samples
from quest22.settings import MemorySettings

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
