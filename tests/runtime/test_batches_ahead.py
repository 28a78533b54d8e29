"""Batches run in a thread in their order, whatever the caller does meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from quest22.errors import EngineError
from quest22.metrics import Metrics
from quest22.records import (
    Audio,
    Clip,
    DecodingOptions,
    Hypothesis,
    Origin,
    Transcript,
    Window,
)
from quest22.runtime import build
from quest22.runtime.batches_ahead import AheadBatch, BatchesAhead
from quest22.runtime.build import Pipeline
from quest22.runtime.devices import build as devices_build
from quest22.runtime.ordered import OrderedDriver
from quest22.settings import DecodingSettings, EngineSettings, PipelineSettings, VadSettings
from tests.runtime.fakes import POISON, BlockStrategy, EchoEngine, audio, block, text
from tests.support.corpora import wav_bytes

ENDS_S = 20.0


def windows(*values: float) -> list[Window]:
    return [Window(block(value), 0.0, DecodingOptions(), n) for n, value in enumerate(values)]


def texts(hypotheses: Sequence[Hypothesis]) -> list[int]:
    return [each.tokens[0] for each in hypotheses]


def batch_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "quest22-batches"]


def test_batches_are_begun_while_one_is_in_the_engine() -> None:
    engine = EchoEngine(4)
    engine.gate.clear()
    with closing(BatchesAhead(engine)) as ahead:
        first, second = ahead.begin(windows(1, 2)), ahead.begin(windows(3))
        assert engine.entered.acquire(timeout=ENDS_S)
        assert engine.batches == [[1, 2]]
        engine.gate.set()
        assert texts(ahead.finish(second)) == [3]
        assert texts(ahead.finish(first)) == [1, 2]
        assert texts(ahead.run(windows(4))) == [4]
    assert engine.batches == [[1, 2], [3], [4]]
    assert batch_threads() == []


def test_an_error_is_that_of_its_batch() -> None:
    with closing(BatchesAhead(EchoEngine(4))) as ahead:
        first, second = ahead.begin(windows(POISON)), ahead.begin(windows(2))
        with pytest.raises(EngineError, match="poisoned"):
            ahead.finish(first)
        assert texts(ahead.finish(second)) == [2]


class Endless(EchoEngine):
    """Batches that go on until they are interrupted."""

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        super().run(windows)
        while True:
            time.sleep(0.001)


def test_closing_interrupts_what_runs_and_drops_what_waits() -> None:
    engine = Endless(4)
    ahead = BatchesAhead(engine)
    first, second = ahead.begin(windows(1)), ahead.begin(windows(2))
    assert engine.entered.acquire(timeout=ENDS_S)
    ahead.abandon(second)
    ahead.close()
    assert engine.batches == [[1]]
    with pytest.raises(EngineError, match="interrupted"):
        ahead.finish(first)
    assert batch_threads() == []
    ahead.close()


def test_what_was_never_begun_has_no_thread() -> None:
    BatchesAhead(EchoEngine(4)).close()
    assert batch_threads() == []


@pytest.mark.parametrize("sequential", [False, True])
def test_a_run_gives_the_same_batches_however_fast_anybody_is(sequential: bool) -> None:
    """The engine, or who takes the results, may be the slower one."""

    class Slow(EchoEngine):
        def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
            time.sleep(0.002)
            return super().run(windows)

    def clips() -> Iterator[Audio]:
        return (audio(n, [n, n + 1, n + 2]) for n in range(9))

    seen = []
    for kind, pause_s in ((EchoEngine, 0.003), (Slow, 0.0)):
        engine, results = kind(4), []
        with closing(BatchesAhead(engine)) as ahead:
            for each in OrderedDriver(ahead, BlockStrategy(sequential), Metrics()).run(clips()):
                results.append(text(each))
                time.sleep(pause_s)
        assert results == [f"{n} {n + 1} {n + 2}" for n in range(9)]
        seen.append(engine.batches)
    assert seen[0] == seen[1]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_only_engines_on_other_devices_run_ahead(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here one that says so; a run that nobody takes to its end leaves the model free."""
    begun: list[int] = []

    class Noted(BatchesAhead):
        def begin(self, windows: Sequence[Window]) -> AheadBatch:
            begun.append(len(windows))
            return super().begin(windows)

    open_engine = devices_build.open_engine

    def opened(*given: Any) -> Any:
        engine: Any = open_engine(*given)
        engine.device = device
        return engine

    monkeypatch.setattr(devices_build, "open_engine", opened)
    monkeypatch.setattr(build, "BatchesAhead", Noted)
    settings = PipelineSettings(
        EngineSettings("nano", batch_size=2, compute_type="float32"),
        DecodingSettings("en"),
        vad=VadSettings("off"),
    )
    clips = [Clip(str(n), str(n), wav_bytes(16_000, n), Origin("test")) for n in range(5)]
    with Pipeline(settings) as pipeline:
        results = list(pipeline.run(clips))
        assert begun == ([] if device == "cpu" else [2, 2, 1])
        cut = pipeline.run(clips)
        assert next(iter(cut)) == results[0]
        cut.close()
        assert batch_threads() == []
        assert list(pipeline.run(clips)) == results
    assert [type(each) for each in results] == [Transcript] * 5
