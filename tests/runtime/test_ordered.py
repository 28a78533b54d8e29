"""The driver moves records and nothing else, so fakes of its neighbours show all it does."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.errors import ClipError, EngineError, SourceError
from quest22.metrics import Metrics
from quest22.protocols import LongForm
from quest22.records import (
    Audio,
    Clip,
    DecodingOptions,
    Failure,
    Hypothesis,
    Origin,
    Samples,
    Transcript,
    Window,
)
from quest22.runtime.clip_state import ClipState
from quest22.runtime.ordered import OrderedDriver

POISON = -7.0


class EchoEngine:
    """Answers with the first sample of a window; refuses a batch that holds POISON."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.batches: list[int] = []

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        assert 0 < len(windows) <= self.batch_size
        self.batches.append(len(windows))
        if any(window.samples[0] == POISON for window in windows):
            raise EngineError("poisoned window")
        return [Hypothesis((int(window.samples[0]),), "en", 1.0, 0.0, 0.0) for window in windows]


class BlockLongForm:
    """Every block is a window; sequential: the next only after the last came back."""

    def __init__(self, clip: Clip, sequential: bool) -> None:
        self.clip = clip
        self.sequential = sequential
        self.waiting: list[Window] = []
        self.out = 0
        self.given = 0
        self.flushed = False
        self.heard: list[tuple[int, int]] = []

    def feed(self, samples: Samples) -> list[Window]:
        self.waiting.append(Window(samples, 0.0, DecodingOptions(), self.given))
        self.given += 1
        return self._release()

    def flush(self) -> list[Window]:
        self.flushed = True
        return self._release()

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        self.out -= 1
        self.heard.append((window.index, hypothesis.tokens[0]))
        return self._release()

    def _release(self) -> list[Window]:
        allowed = 1 - self.out if self.sequential else len(self.waiting)
        ready, self.waiting = self.waiting[:allowed], self.waiting[allowed:]
        self.out += len(ready)
        return ready

    @property
    def wants_audio(self) -> bool:
        return not (self.sequential and self.out)

    @property
    def finished(self) -> bool:
        return self.flushed and not self.waiting and self.out == 0

    def close(self) -> Transcript:
        text = " ".join(str(token) for _, token in sorted(self.heard))
        return Transcript(self.clip.key, self.clip.name, text, "en", 1.0, 1.0, (), self.clip.origin)


class BlockStrategy:
    def __init__(self, sequential: bool = False) -> None:
        self.sequential = sequential

    def open(self, clip: Clip) -> LongForm:
        return BlockLongForm(clip, self.sequential)


def audio(key: int, values: Sequence[float | None]) -> Audio:
    """A clip of one-sample blocks; None is a block that cannot be decoded."""

    def blocks() -> Iterator[Samples]:
        for value in values:
            if value is None:
                raise ClipError("audio", "broken block")
            yield np.array([value], np.float32)

    return Audio(Clip(str(key), str(key), b"", Origin("test")), blocks())


def texts(results: Sequence[Transcript | Failure]) -> list[str]:
    return [r.reason if isinstance(r, Failure) else r.text for r in results]


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
    assert engine.batches == [4, 4, 4]


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
    driver = OrderedDriver(EchoEngine(1), BlockStrategy(), Metrics(), max_open=3)
    for _ in driver.run(audio(i, [i]) for i in range(50)):
        assert sum(type(each) is ClipState for each in gc.get_objects()) <= 4


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
