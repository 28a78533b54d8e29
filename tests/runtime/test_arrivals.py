from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.runtime.arrivals import MARKS, Arrivals


def fed(blocks: list[tuple[float, float]]) -> Arrivals:
    """After blocks of some seconds each, with the time when each arrived."""
    arrivals, total_s = Arrivals(), 0.0
    for seconds, now in blocks:
        total_s += seconds
        arrivals.note(total_s, now)
    return arrivals


def at_real_pace(seconds: float, block_s: float, begins_s: float = 100.0) -> Arrivals:
    count = round(seconds / block_s)
    return fed([(block_s, begins_s + (number + 1) * block_s) for number in range(count)])


@given(
    block_s=st.sampled_from([0.02, 0.1, 0.3, 1.0]),
    place_s=st.floats(0.1, 20.0),
    delay_s=st.floats(0, 5),
)
def test_latency_counts_from_the_arrival(block_s: float, place_s: float, delay_s: float) -> None:
    arrivals = at_real_pace(20.0, block_s)
    latency = arrivals.latency_s(place_s, 120.0 + delay_s)
    assert latency is not None
    assert 20.0 + delay_s - place_s - block_s - 1e-6 <= latency <= 20.0 + delay_s - place_s + 1e-6


def test_a_block_arrives_as_a_whole() -> None:
    arrivals = fed([(2.0, 12.0), (2.0, 14.0)])
    assert arrivals.latency_s(0.5, 15.0) == 3.0
    assert arrivals.latency_s(3.0, 15.0) == 1.0


def test_a_place_that_is_not_fed_yet_counts_from_the_last_block() -> None:
    assert fed([(1.0, 10.0)]).latency_s(1.5, 10.25) == 0.25


def test_after_a_stall_sound_counts_from_when_it_came() -> None:
    arrivals = fed([(1.0, 11.0), *((0.5, 31.0) for _ in range(10))])
    assert arrivals.latency_s(5.0, 31.5) == 0.5


def test_sound_that_is_fed_fast_has_no_latency() -> None:
    assert fed([(1.0, 10.0 + 0.01 * number) for number in range(20)]).latency_s(15.0, 11.0) is None


def test_nothing_was_fed() -> None:
    assert Arrivals().latency_s(0.0, 1.0) is None


@pytest.mark.parametrize("block_s", [0.02, 0.5, 2.0])
def test_what_is_noted_is_bounded(block_s: float) -> None:
    arrivals = at_real_pace(3600.0, block_s)
    assert len(arrivals._marks) <= MARKS
    assert arrivals.latency_s(3599.9, 3700.0) == pytest.approx(0.1, abs=block_s)
    assert arrivals.latency_s(10.0, 3700.0) is None
    assert arrivals.latency_s(3500.0, 3700.0) == pytest.approx(100.0, abs=block_s)
