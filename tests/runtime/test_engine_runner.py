from __future__ import annotations

from collections.abc import Sequence

import pytest

from quest22.errors import EngineError, UsageError
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Hypothesis, Window, WindowResult
from quest22.runtime.engine_runner import BatchRunner
from tests.runtime.fakes import POISON, EchoEngine, PipelinedEcho, block


def windows(*values: float) -> list[Window]:
    return [Window(block(value), 0.0, DecodingOptions(), n) for n, value in enumerate(values)]


def echoes(results: Sequence[WindowResult]) -> list[object]:
    return [each.hypothesis.tokens[0] if each.hypothesis else each.reason for each in results]


ENGINES = pytest.mark.parametrize("engine", [EchoEngine(4), PipelinedEcho(4)])


@ENGINES
def test_a_result_for_each_window(engine: EchoEngine) -> None:
    metrics = Metrics()
    runner = BatchRunner(engine, metrics)
    batch = windows(1, 2)
    results = runner.finish(runner.begin(batch))
    assert echoes(results) == [1, 2]
    assert [each.window for each in results] == [window.fingerprint for window in batch]
    assert metrics.counts()["windows"] == 2


@ENGINES
def test_a_bad_window_fails_alone(engine: EchoEngine) -> None:
    runner = BatchRunner(engine, Metrics())
    results = runner.finish(runner.begin(windows(1, POISON, 2)))
    assert echoes(results) == [1, "poisoned window", 2]


@pytest.mark.parametrize("retried", [EngineError, Exception])
def test_other_errors_are_raised_unless_they_are_retried(retried: type[Exception]) -> None:
    class Picky(EchoEngine):
        def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
            if windows[-1].samples[0] == POISON:
                raise UsageError("not this one")
            return super().run(windows)

    runner = BatchRunner(Picky(4), Metrics(), retried)
    if retried is Exception:
        assert echoes(runner.finish(runner.begin(windows(1, POISON)))) == [1, "not this one"]
    else:
        with pytest.raises(UsageError, match="not this one"):
            runner.finish(runner.begin(windows(1, POISON)))


def test_a_batch_that_cannot_begin_is_retried_too() -> None:
    class Full(PipelinedEcho):
        def begin(self, windows: Sequence[Window]) -> Sequence[Window]:
            if len(windows) > 1:
                raise EngineError("too much")
            return windows

    runner = BatchRunner(Full(4), Metrics())
    assert echoes(runner.finish(runner.begin(windows(1, 2)))) == [1, 2]


def test_what_is_abandoned_leaves_the_engine_free() -> None:
    engine = PipelinedEcho(4)
    runner = BatchRunner(engine, Metrics())
    batch = windows(1, POISON)
    runner.abandon(runner.begin(batch))
    assert (engine.abandoned, engine.batches) == ([batch], [])
    runner = BatchRunner(EchoEngine(4), Metrics())
    runner.abandon(runner.begin(windows(1)))  # it was not begun at all
