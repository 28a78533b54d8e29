"""Two processes on this machine's processor as one engine, against the engine in one process."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.draft import with_layers
from quest22.checkpoint.load import load
from quest22.checkpoint.save import save
from quest22.errors import DevicesLostError, EngineError, UsageError
from quest22.metrics import Metrics
from quest22.records import (
    Clip,
    DecodingOptions,
    Hypothesis,
    Origin,
    Transcript,
    Window,
)
from quest22.runtime.build import Pipeline
from quest22.runtime.devices.device import DeviceProcess, error_of
from quest22.runtime.devices.engine import DevicesEngine, check_alike
from quest22.runtime.devices.messages import Failed, Opened, Opening
from quest22.settings import EngineSettings, PipelineSettings
from tests.support.recordings import recordings
from tests.support.systems import posix_only

TWO = EngineSettings(
    "nano", devices=("cpu", "cpu"), compute_type="float32", batch_size=4, threads=2
)
ENGLISH = DecodingOptions("en", timestamps=True)


def engine_of(pipeline: Pipeline) -> DevicesEngine:
    engine = pipeline._engine
    assert isinstance(engine, DevicesEngine)
    return engine


def processes(engine: DevicesEngine) -> list[int]:
    return [each.device._process.pid for each in engine._crew._members]


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def two() -> Iterator[Pipeline]:
    with Pipeline(PipelineSettings(TWO)) as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def batches() -> list[list[Window]]:
    sounds = recordings("en", 12, longest_s=8)
    return [
        [Window(sound, 0.0, ENGLISH) for sound in sounds[first : first + 4]]
        for first in range(0, 12, 4)
    ]


@pytest.fixture(scope="module")
def expected(batches: list[list[Window]]) -> list[list[Hypothesis]]:
    alone = replace(TWO, devices=(), device="cpu", threads=1)
    with Pipeline(PipelineSettings(alone)) as pipeline:
        return [pipeline._engine.run(batch) for batch in batches]


def test_batches_have_the_results_of_one_process(
    two: Pipeline, batches: list[list[Window]], expected: list[list[Hypothesis]]
) -> None:
    engine = engine_of(two)
    assert (two.devices, engine.devices) == (("cpu", "cpu"), ("cpu (1 of 2)", "cpu (2 of 2)"))
    assert (engine.compute_type, engine.batch_size, engine.batches_in_flight) == ("float32", 4, 4)
    tickets = [engine.begin(batch) for batch in batches]
    found = [engine.finish(each) for each in reversed(tickets)]
    assert found[::-1] == expected
    seconds, counts = two.metrics.seconds(), two.metrics.counts()
    assert {"features", "encoder", "decoder"} <= seconds.keys()
    assert counts["tokens"] >= sum(len(each.tokens) for batch in expected for each in batch)


def test_errors_of_a_batch_are_those_of_one_process(two: Pipeline) -> None:
    engine = engine_of(two)
    loud = Window(np.full(16000, np.nan, np.float32), 0.0, ENGLISH)
    with pytest.raises(EngineError, match="not finite: expected samples between"):
        engine.run([loud])
    quiet = np.zeros(16000, np.float32)
    with pytest.raises(UsageError, match="tlh"):
        engine.run([Window(quiet, 0.0, DecodingOptions("tlh"))])
    with pytest.raises(EngineError, match="5 windows in one call: expected at most 4"):
        engine.begin([Window(quiet, 0.0, ENGLISH)] * 5)
    assert len(engine.run([Window(quiet, 0.0, ENGLISH)])) == 1


def test_an_abandoned_batch_is_not_waited_for(
    two: Pipeline, batches: list[list[Window]], expected: list[list[Hypothesis]]
) -> None:
    engine = engine_of(two)
    for _ in range(2):
        for ticket in [engine.begin(batch) for batch in batches]:
            engine.abandon(ticket)
            assert engine.finish(ticket) == []
    assert engine.run(batches[0]) == expected[0]


def test_clips_that_come_at_any_time_share_the_devices(two: Pipeline) -> None:
    """As a server has them."""
    clips = [
        Clip(str(place), str(place), sound, Origin("sounds"))
        for place, sound in enumerate(recordings("en", 10, longest_s=8))
    ]
    alone = replace(TWO, devices=(), device="cpu", threads=1)
    with Pipeline(PipelineSettings(alone)) as pipeline:
        expected = [each.text for each in pipeline.run(clips) if isinstance(each, Transcript)]
    handles = [two.begin(clip) for clip in clips]
    found = [handle.result(60.0) for handle in handles]
    assert [each.text for each in found if isinstance(each, Transcript)] == expected
    assert len(expected) == len(clips)


def test_words_depend_on_the_batch(two: Pipeline, batches: list[list[Window]]) -> None:
    engine = engine_of(two)
    with_words = [replace(batches[0][0], decoding=replace(ENGLISH, words=True))]
    assert not engine.same_in_any_batch(with_words)
    assert engine.same_in_any_batch(batches[0]) == engine._same_in_any_batch


@pytest.mark.slow
def test_a_process_that_dies_leaves_its_batches_to_the_other(
    batches: list[list[Window]],
    expected: list[list[Hypothesis]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Pipeline(PipelineSettings(TWO)) as pipeline:
        engine = engine_of(pipeline)
        first, second = processes(engine)
        tickets = [engine.begin(batch) for batch in batches]
        os.kill(first, signal.SIGKILL)
        assert [engine.finish(each) for each in tickets] == expected
        assert engine.run(batches[1]) == expected[1]
        told = "the process of cpu (1 of 2) has died (SIGKILL): its work goes to cpu (2 of 2)"
        assert caplog.messages == [told]
        os.kill(second, signal.SIGTERM)  # is for the process that started it
        time.sleep(0.05)
        ticket = engine.begin(batches[0])
        os.kill(second, signal.SIGKILL)
        with pytest.raises(
            DevicesLostError, match=r"no device is left of cpu \(1 of 2\), .*: their proc"
        ):
            engine.finish(ticket)
        with pytest.raises(DevicesLostError):
            engine.run(batches[0])
    assert caplog.messages[-1] == (
        "the process of cpu (2 of 2) has died (SIGKILL): no device is left"
    )


@pytest.mark.slow
def test_processes_end_with_the_engine(batches: list[list[Window]]) -> None:
    pipeline = Pipeline(PipelineSettings(TWO))
    engine, started = engine_of(pipeline), processes(engine_of(pipeline))
    ticket = engine.begin(batches[0])
    pipeline.close()
    assert not any(map(is_running, started))
    with pytest.raises(UsageError, match="the model is closed"):
        engine.finish(ticket)
    with pytest.raises(UsageError, match="the model is closed"):
        engine.begin(batches[0])
    pipeline = Pipeline(PipelineSettings(TWO))
    started = processes(engine_of(pipeline))
    del pipeline  # whoever forgets to close it
    gc.collect()
    assert not any(map(is_running, started))


def test_a_model_that_cannot_be_opened_is_told_with_its_device() -> None:
    settings = PipelineSettings(replace(TWO, engine="torch", compute_type="int16"))
    with pytest.raises(
        UsageError, match=r"cpu \(1 of 2\): compute type 'int16' is not one of the torch eng"
    ):
        Pipeline(settings)


@posix_only
def test_a_process_that_ends_while_it_loads(caplog: pytest.LogCaptureFixture) -> None:
    device = DeviceProcess(Opening("cpu", "nano", EngineSettings("nano"), logging.INFO))
    os.kill(device._process.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match=r"cpu: the process ended while it loaded the model \(SI"):
        device.opened()
    device.close()


def test_devices_have_to_compute_alike() -> None:
    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

    opened = [
        Opened("torch", "cuda", "bfloat16", 8, same_in_any_batch=True),
        Opened("native", "cpu", "float32", 8, same_in_any_batch=True),
    ]
    told = r"cuda:0 computes in bfloat16 \(torch\) and cpu in float32 \(native\), so texts would"
    with pytest.raises(UsageError, match=told):
        check_alike([Named("cuda:0"), Named("cpu")], opened)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("UsageError", UsageError),
        ("MissingExtraError", UsageError),
        ("EngineError", EngineError),
        ("SmallerBatchError", EngineError),
        ("unknown", EngineError),
    ],
)
def test_errors_keep_their_kind(kind: str, error: type[Exception]) -> None:
    found = error_of(Failed(kind, "why"), "cuda:1: ")
    assert (type(found), str(found)) == (error, "cuda:1: why")


def test_a_process_sees_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from quest22.env import with_one_gpu

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("HIP_VISIBLE_DEVICES", raising=False)
    assert with_one_gpu(3)["CUDA_VISIBLE_DEVICES"] == "3"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5a, GPU-7b,9")
    assert [with_one_gpu(each)["CUDA_VISIBLE_DEVICES"] for each in range(3)] == [
        *("GPU-5a", "GPU-7b", "9")
    ]
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "4,5")
    assert with_one_gpu(1)["HIP_VISIBLE_DEVICES"] == "5"


def test_metrics_are_shared_out() -> None:
    """Two devices that each decode for a second do so in the same second."""
    from quest22.runtime.devices.engine import _Crew
    from quest22.runtime.devices.messages import Done

    metrics = Metrics()
    crew = _Crew([], metrics)
    crew._members = [None, None]  # type: ignore[list-item]
    for _ in range(2):
        crew._count(Done((), {"decoder": 1.0}, 7.0))
    assert metrics.seconds() == {"decoder": 1.0}
    assert metrics.counts() == {"tokens": 14.0}


def test_each_process_has_the_draft_model(
    tmp_path: Path,
    batches: list[list[Window]],
    expected: list[list[Hypothesis]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    draft = tmp_path / "draft"
    save(with_layers(load("nano"), [0, 2]), draft)
    config = json.loads((draft / "config.json").read_text())
    (draft / "config.json").write_text(json.dumps({**config, "decoder_layers": 2}))
    (draft / "generation_config.json").unlink()
    drafted = replace(TWO, draft_model=str(draft))
    with caplog.at_level(logging.INFO), Pipeline(PipelineSettings(drafted)) as pipeline:
        assert [pipeline._engine.run(batch) for batch in batches] == expected
    # Each has used it, or has found that it costs too much here.
    assert sum("draft model" in each for each in caplog.messages) == 2
