from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from quest22.errors import ClipError
from quest22.records import Samples
from quest22.runtime.clip_state import Priority
from quest22.runtime.fed_sound import FedSound
from quest22.runtime.sound_pump import SoundPump
from tests.runtime.fakes import audio, block

FILE = (Priority.FILE, 0.0, 0)
ENDS_S = 30.0


class Consumer:
    """Takes a sound's blocks, waiting for them."""

    def __init__(self, limit_s: float = 1.0) -> None:
        self.fed = threading.Semaphore(0)
        self.pump: SoundPump | None = None
        self.sound = FedSound(limit_s, self.fed.release, self.taken)

    def taken(self) -> None:
        if self.pump is not None:
            self.pump.wake()

    def take(self) -> float | None:
        while not self.sound.available:
            assert self.fed.acquire(timeout=ENDS_S)
        samples = self.sound.next_block()
        return None if samples is None else float(samples[0])


@pytest.fixture
def pump() -> Iterator[SoundPump]:
    pump = SoundPump(limit_s=1.0, workers=2)
    yield pump
    pump.stop()


def test_blocks_and_the_end_arrive(pump: SoundPump) -> None:
    consumer = Consumer()
    pump.add(audio("key", [1, 2]).blocks, consumer.sound, FILE)
    assert [consumer.take() for _ in range(3)] == [1, 2, None]


def test_an_error_arrives_where_the_block_would(pump: SoundPump) -> None:
    consumer = Consumer()
    pump.add(audio("key", [1, None]).blocks, consumer.sound, FILE)
    assert consumer.take() == 1
    with pytest.raises(ClipError, match="broken block"):
        consumer.take()


def test_a_sound_is_decoded_as_there_is_room(pump: SoundPump) -> None:
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


def test_a_slow_sound_holds_up_no_other(pump: SoundPump) -> None:
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
    pump = SoundPump(limit_s=1 / 16_000, workers=1)
    first, second = Consumer(), Consumer()
    first.pump = second.pump = pump
    pump.add(audio(1, [1]).blocks, first.sound, (Priority.FILE, 0.0, 1))
    assert first.fed.acquire(timeout=ENDS_S)  # its block fills all room there is
    assert first.fed.acquire(timeout=ENDS_S)  # and its end
    pump.add(audio(2, range(2, 5)).blocks, second.sound, (Priority.INTERACTIVE, 0.0, 2))
    assert [second.take() for _ in range(4)] == [2, 3, 4, None]
    pump.stop()


def test_what_is_stopped_is_forgotten(pump: SoundPump) -> None:
    consumer = Consumer(limit_s=1 / 16_000)
    consumer.pump = pump
    pump.add(audio("key", range(99)).blocks, consumer.sound, FILE)
    assert consumer.take() == 0
    consumer.sound.stop()
    assert consumer.fed.acquire(timeout=ENDS_S)
    other = Consumer()
    pump.add(audio("other", [5]).blocks, other.sound, FILE)
    assert other.take() == 5
