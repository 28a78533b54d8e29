"""The driver moves records and nothing else, so fakes of its neighbours show all it does."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.errors import SourceError
from quest22.metrics import Metrics
from quest22.records import Audio, Failure, Origin, Transcript
from quest22.runtime.clip_state import ClipState
from quest22.runtime.ordered import OrderedDriver
from tests.runtime.fakes import POISON, BlockStrategy, EchoEngine, audio, text


def texts(results: Sequence[Transcript | Failure]) -> list[str]:
    return [text(result) for result in results]


@settings(max_examples=60, deadline=None)
@given(
    clips=st.lists(st.lists(st.integers(0, 99), max_size=7), max_size=12),
    batch_size=st.integers(1, 5),
    max_open=st.integers(1, 6),
    sequential=st.booleans(),
)
def test_every_clip_comes_out_once_in_order(
    clips: list[list[int]], batch_size: int, max_open: int, sequential: bool
) -> None:
    driver = OrderedDriver(EchoEngine(batch_size), BlockStrategy(sequential), Metrics(), max_open)
    results = list(driver.run(audio(i, values) for i, values in enumerate(clips)))
    assert [result.key for result in results] == [str(i) for i in range(len(clips))]
    assert texts(results) == [" ".join(map(str, values)) for values in clips]


@pytest.mark.parametrize("sequential", [False, True])
def test_windows_of_many_clips_share_a_batch(sequential: bool) -> None:
    engine = EchoEngine(4)
    clips = [audio(i, [i, i, i]) for i in range(4)]
    list(OrderedDriver(engine, BlockStrategy(sequential), Metrics()).run(clips))
    assert [len(batch) for batch in engine.batches] == [4, 4, 4]


@pytest.mark.parametrize(
    ("values", "reason"),
    [([None], "broken block"), ([1, None], "broken block"), ([1, POISON, 2], "poisoned window")],
)
def test_a_bad_clip_costs_one_failure(values: list[float | None], reason: str) -> None:
    metrics = Metrics()
    arrivals = [audio(0, [5]), audio(1, values), audio(2, [6, 7])]
    results = list(OrderedDriver(EchoEngine(4), BlockStrategy(), metrics).run(arrivals))
    assert texts(results) == ["5", reason, "6 7"]
    assert isinstance(results[1], Failure)
    assert metrics.counts()["failures"] == 1
    assert metrics.counts()["clips"] == 2


def test_a_failure_of_the_source_keeps_its_place() -> None:
    gone = Failure("1", "1", "source", "no such file", Origin("test"))
    results = list(
        OrderedDriver(EchoEngine(2), BlockStrategy(), Metrics()).run([audio(0, [1]), gone])
    )
    assert texts(results) == ["1", "no such file"]


def test_a_source_that_breaks_costs_no_clip_before_it() -> None:
    def arrivals() -> Iterator[Audio]:
        yield from (audio(i, [i, i]) for i in range(5))
        raise SourceError("the network is gone")

    heard: list[Transcript | Failure] = []
    with pytest.raises(SourceError, match="the network is gone"):
        heard.extend(OrderedDriver(EchoEngine(4), BlockStrategy(), Metrics()).run(arrivals()))
    assert texts(heard) == [f"{i} {i}" for i in range(5)]


def test_clips_that_have_left_are_forgotten() -> None:
    """Each is asked again after its last window, and ends in vain."""
    gc.freeze()  # what is there already is not listed
    try:
        driver = OrderedDriver(EchoEngine(1), BlockStrategy(), Metrics(), max_open=3)
        for _ in driver.run(audio(i, [i]) for i in range(50)):
            assert sum(type(each) is ClipState for each in gc.get_objects()) <= 4
    finally:
        gc.unfreeze()


def test_clips_are_opened_no_further_ahead_than_allowed() -> None:
    opened: list[int] = []

    def arrivals() -> Iterator[Audio]:
        for i in range(50):
            opened.append(i)
            yield audio(i, [i])

    results = OrderedDriver(EchoEngine(2), BlockStrategy(), Metrics(), max_open=3).run(arrivals())
    next(results)
    assert len(opened) <= 3
    results.close()
