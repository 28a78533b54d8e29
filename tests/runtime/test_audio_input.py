from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from quest22.errors import ClipError, UsageError
from quest22.records import Samples
from quest22.runtime.audio_input import AudioQueue, LiveDecodePool
from quest22.runtime.clip_state import Priority
from tests.runtime.fakes import audio, block


def test_blocks_come_out_in_order_and_then_the_end() -> None:
    sound = AudioQueue(1.0)
    assert not sound.available
    sound.feed(block(1, 2))
    sound.feed(block(3))
    assert sound.waiting_s == 3 / 16_000
    sound.flush()
    assert sound.available
    taken = [sound.next_block(), sound.next_block()]
    assert [each.tolist() for each in taken if each is not None] == [[1, 2], [3]]
    assert (sound.next_block(), sound.waiting_s) == (None, 0.0)


def test_a_block_is_the_feeders_own_no_longer() -> None:
    sound, buffer = AudioQueue(1.0), block(1)
    sound.feed(buffer)
    buffer[0] = 2
    assert sound.next_block() == block(1)


def test_an_error_comes_where_the_sound_breaks_off() -> None:
    sound = AudioQueue(1.0)
    sound.feed(block(1))
    sound.flush(ClipError("audio", "broken block"))
    assert sound.next_block() == block(1)
    with pytest.raises(ClipError, match="broken block"):
        sound.next_block()


def test_the_feeder_waits_for_room() -> None:
    sound, fed = AudioQueue(1 / 16_000), threading.Event()
    sound.feed(block(1))
    assert not sound.has_room

    def feed() -> None:
        sound.feed(block(2))
        fed.set()

    threading.Thread(target=feed, daemon=True).start()
    assert not fed.is_set()
    assert sound.next_block() == block(1)
    assert fed.wait(30)
    assert sound.next_block() == block(2)


def test_what_is_stopped_takes_no_more_and_holds_nothing() -> None:
    sound = AudioQueue(1 / 16_000)
    sound.feed(block(1))
    sound.stop()
    assert not sound.feed(block(2))
    sound.flush()
    assert (sound.available, sound.waiting_s, sound.ended) == (False, 0.0, True)
    with pytest.raises(ClipError, match="cancelled"):  # and not: the sound has ended
        sound.next_block()


def test_both_sides_are_told() -> None:
    told: list[str] = []
    sound = AudioQueue(1.0, lambda: told.append("fed"), lambda: told.append("taken"))
    sound.feed(block(1))
    sound.next_block()
    sound.flush()
    sound.stop()
    assert told == ["fed", "taken", "fed", "taken"]


@pytest.mark.parametrize("samples", [np.zeros((2, 2), np.float32), np.zeros(2, np.int16)])
def test_only_mono_float32_is_sound(samples: np.ndarray) -> None:
    with pytest.raises(UsageError, match="expected mono float32"):
        AudioQueue(1.0).feed(samples)


def test_a_decoded_block_may_have_channels_whose_seconds_all_count() -> None:
    sound = AudioQueue(3.0)
    assert sound.put(np.zeros((16_000, 2), np.float32))
    assert sound.waiting_s == 2.0
    assert sound.has_room
    taken = sound.next_block()
    assert taken is not None
    assert taken.shape == (16_000, 2)
    assert sound.waiting_s == 0.0


def test_nothing_comes_after_the_end() -> None:
    sound = AudioQueue(1.0)
    sound.flush()
    with pytest.raises(UsageError, match="fed after flush"):
        sound.feed(block(1))


FILE = (Priority.FILE, 0.0, 0)
ENDS_S = 30.0


class Consumer:
    """Takes a sound's blocks, waiting for them."""

    def __init__(self, limit_s: float = 1.0) -> None:
        self.fed = threading.Semaphore(0)
        self.pump: LiveDecodePool | None = None
        self.sound = AudioQueue(limit_s, self.fed.release, self.taken)

    def taken(self) -> None:
        if self.pump is not None:
            self.pump.wake()

    def take(self) -> float | None:
        while not self.sound.available:
            assert self.fed.acquire(timeout=ENDS_S)
        samples = self.sound.next_block()
        return None if samples is None else float(samples[0])


@pytest.fixture
def pump() -> Iterator[LiveDecodePool]:
    pump = LiveDecodePool(limit_s=1.0, workers=2)
    yield pump
    pump.stop()


def test_blocks_and_the_end_arrive(pump: LiveDecodePool) -> None:
    consumer = Consumer()
    pump.add(audio("key", [1, 2]).blocks, consumer.sound, FILE)
    assert [consumer.take() for _ in range(3)] == [1, 2, None]


def test_an_error_arrives_where_the_block_would(pump: LiveDecodePool) -> None:
    consumer = Consumer()
    pump.add(audio("key", [1, None]).blocks, consumer.sound, FILE)
    assert consumer.take() == 1
    with pytest.raises(ClipError, match="broken block"):
        consumer.take()


def test_a_sound_is_decoded_as_there_is_room(pump: LiveDecodePool) -> None:
    decoded: list[int] = []

    def blocks() -> Iterator[Samples]:
        for value in range(5):
            decoded.append(value)
            yield block(value)

    consumer = Consumer(limit_s=1 / 16_000)
    consumer.pump = pump
    pump.add(blocks(), consumer.sound, FILE)
    for value in range(5):
        assert consumer.take() == value
        assert len(decoded) <= value + 2
    assert consumer.take() is None


def test_a_slow_sound_holds_up_no_other(pump: LiveDecodePool) -> None:
    gate = threading.Event()

    def slow() -> Iterator[Samples]:
        gate.wait()
        yield block(1)

    first, second = Consumer(), Consumer()
    pump.add(slow(), first.sound, (Priority.INTERACTIVE, 0.0, 0))
    pump.add(audio("key", [2]).blocks, second.sound, FILE)
    assert second.take() == 2
    gate.set()
    assert first.take() == 1


def test_beyond_the_limit_only_the_most_urgent_goes_on() -> None:
    pump = LiveDecodePool(limit_s=1 / 16_000, workers=1)
    first, second = Consumer(), Consumer()
    first.pump = second.pump = pump
    pump.add(audio(1, [1]).blocks, first.sound, (Priority.FILE, 0.0, 1))
    assert first.fed.acquire(timeout=ENDS_S)  # its block fills all room there is
    assert first.fed.acquire(timeout=ENDS_S)  # and its end
    pump.add(audio(2, range(2, 5)).blocks, second.sound, (Priority.INTERACTIVE, 0.0, 2))
    assert [second.take() for _ in range(4)] == [2, 3, 4, None]
    pump.stop()


def test_what_is_stopped_is_forgotten(pump: LiveDecodePool) -> None:
    consumer = Consumer(limit_s=1 / 16_000)
    consumer.pump = pump
    pump.add(audio("key", range(99)).blocks, consumer.sound, FILE)
    assert consumer.take() == 0
    consumer.sound.stop()
    assert consumer.fed.acquire(timeout=ENDS_S)
    other = Consumer()
    pump.add(audio("other", [5]).blocks, other.sound, FILE)
    assert other.take() == 5
