"""Which backend is chosen, and that it says so."""

from __future__ import annotations

import logging

import pytest

from quest22.audio.log_mel import LogMel
from quest22.engine.build import build_engine, open_backend
from quest22.engine.cpu_backend import CpuBackend
from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.native.library import instruction_set, open_library
from quest22.records import DecodingOptions
from quest22.settings import EngineSettings
from tests.engine.conftest import OpenCheckpoint
from tests.support.windows import windows

FLOAT32 = EngineSettings(compute_type="float32", batch_size=2, threads=1)
native_only = pytest.mark.skipif(
    open_library() is None, reason="no native library for this processor"
)


def chosen(
    checkpoint: OpenCheckpoint, settings: EngineSettings, caplog: pytest.LogCaptureFixture
) -> tuple[CpuBackend, str]:
    """The backend and what was logged about it."""
    with caplog.at_level(logging.INFO, "quest22"):
        backend = open_backend(checkpoint("small-test"), settings)
    assert isinstance(backend, CpuBackend)
    (line,) = [each for each in caplog.messages if each.startswith("engine ")]
    return backend, line


def test_without_the_native_library_openvino_runs(
    checkpoint: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("QUEST22_NATIVE", "off")
    backend, line = chosen(checkpoint, FLOAT32, caplog)
    assert (backend.name, backend.compute_type, backend.batch_size) == ("openvino", "float32", 2)
    assert line == (
        "engine openvino: decoder on OpenVINO (QUEST22_NATIVE is off), encoder on OpenVINO "
        "(QUEST22_NATIVE is off); float32, 2 windows per batch, 1 threads"
    )


@native_only
def test_with_it_the_decoder_is_native(
    checkpoint: OpenCheckpoint, caplog: pytest.LogCaptureFixture
) -> None:
    backend, line = chosen(checkpoint, FLOAT32, caplog)
    assert backend.name == "native"
    assert line.startswith(f"engine native: decoder in C for {instruction_set()}, encoder on Open")
    assert "does not run float32" in line or "faster with AMX" in line


@native_only
def test_a_format_that_the_library_lacks_is_left_to_openvino(
    checkpoint: OpenCheckpoint, caplog: pytest.LogCaptureFixture
) -> None:
    backend, line = chosen(checkpoint, EngineSettings(compute_type="float16", batch_size=1), caplog)
    if backend.compute_type == "float16":
        assert backend.name == "openvino"
        assert "does not run float16" in line
    replaced = f"this processor does not compute float16: {backend.compute_type} is used"
    assert (replaced in caplog.messages) == (backend.compute_type != "float16")


@pytest.mark.parametrize("native", ["on", "off"])
def test_begin_and_finish_are_run(
    checkpoint: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch, native: str
) -> None:
    monkeypatch.setenv("QUEST22_NATIVE", native)
    engine = build_engine(checkpoint("small-test"), LogMel(80), FLOAT32, Metrics())
    assert engine.batches_in_flight == 1
    batch = windows(DecodingOptions("en", max_new_tokens=5), DecodingOptions(max_new_tokens=5))
    assert engine.finish(engine.begin(batch)) == engine.run(batch)


def test_a_closed_engine_runs_no_more(checkpoint: OpenCheckpoint) -> None:
    engine = build_engine(checkpoint("small-test"), LogMel(80), FLOAT32, Metrics())
    engine.close()
    with pytest.raises(UsageError, match="the model is closed: load it again"):
        engine.run(windows(DecodingOptions("en")))


@pytest.mark.parametrize("settings", [{"device": "cuda"}, {"compute_type": "float8"}])
def test_what_is_not_there_is_refused(checkpoint: OpenCheckpoint, settings: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(settings.values()))):
        open_backend(checkpoint("small-test"), EngineSettings(**settings))
