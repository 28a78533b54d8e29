from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from quest22.capture.pacing import paced
from quest22.records import SAMPLE_RATE_HZ


class Time:
    """A clock that goes on when somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


def test_each_block_comes_when_it_has_been_spoken() -> None:
    time, heard = Time(), 0
    for block in paced([np.zeros(20 * SAMPLE_RATE_HZ, np.float32)], time.wait, time):
        heard += len(block)
        assert time.now - 100 == pytest.approx(heard / SAMPLE_RATE_HZ)
        assert len(block) <= SAMPLE_RATE_HZ // 20
    assert time.now == pytest.approx(120)


def test_who_was_late_is_not_made_to_wait() -> None:
    time = Time()
    blocks = paced([np.zeros(SAMPLE_RATE_HZ, np.float32)], time.wait, time)
    next(blocks)
    time.now += 0.5
    for _ in range(10):
        next(blocks)
    assert time.now == pytest.approx(100.55)
    list(blocks)
    assert time.now == pytest.approx(101)


def test_the_end_is_not_waited_for() -> None:
    def sound() -> Iterator[np.ndarray]:
        yield np.zeros(800, np.float32)
        raise AssertionError("read on")

    assert list(paced(sound(), lambda _: True, Time())) == []
