"""Which backend is chosen, and that it says so."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import load
from quest22.engine import build
from quest22.engine.build import build_engine, device_for_others, open_backend, uses_torch
from quest22.engine.cpu_backend import CpuBackend
from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.native.library import instruction_set, open_library
from quest22.records import DecodingOptions
from quest22.settings import EngineSettings
from quest22.settings.engine import EngineName
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


@pytest.mark.parametrize(
    "settings",
    [{"device": "cuda"}, {"device": "npu"}, {"compute_type": "float8"}, {"engine": "cuda"}],
)
def test_what_is_not_there_is_refused(checkpoint: OpenCheckpoint, settings: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(settings.values()))):
        open_backend(checkpoint("small-test"), EngineSettings(**settings))


@pytest.mark.parametrize("engine", ["native", "openvino"])
def test_an_engine_of_the_cpu_has_no_gpu(engine: EngineName) -> None:
    with pytest.raises(
        UsageError, match=f"engine {engine} runs on the CPU, not on device 'cuda:1'"
    ):
        uses_torch(EngineSettings(engine=engine, device="cuda:1"))


@pytest.mark.parametrize(
    ("engine", "device", "torch"),
    [
        ("auto", "auto", False),
        ("auto", "cpu", False),
        ("auto", "CUDA:1", True),
        ("auto", "mps", True),
        ("torch", "cpu", True),
        ("native", "cpu", False),
    ],
)
def test_torch_is_chosen_by_its_name_or_a_gpus(
    monkeypatch: pytest.MonkeyPatch, engine: EngineName, device: str, torch: bool
) -> None:
    monkeypatch.setattr(build, "_GPU_DRIVERS", ())
    assert uses_torch(EngineSettings(engine=engine, device=device)) is torch


def test_a_gpu_is_used_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    torch = pytest.importorskip("torch")
    driver = tmp_path / "nvidiactl"
    driver.touch()
    monkeypatch.setattr(build, "_GPU_DRIVERS", (str(driver),))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.INFO, "quest22"):
        assert not uses_torch(EngineSettings())
        monkeypatch.setattr(build, "find_spec", lambda _: None)
        assert not uses_torch(EngineSettings())
    assert "the GPU is not used: device 'cuda' is not there" in caplog.text
    assert "pip install 'quest22[torch]'" in caplog.text
    monkeypatch.undo()
    monkeypatch.setattr(build, "_GPU_DRIVERS", (str(driver),))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert uses_torch(EngineSettings())
    assert uses_torch(EngineSettings(quantization="int4"))
    assert not uses_torch(EngineSettings(compute_type="int16"))
    for settings, device in (
        (EngineSettings(), "cuda"),
        (EngineSettings(compute_type="int16"), "cpu"),
        (EngineSettings(engine="torch", device="cpu"), "cpu"),
        (EngineSettings(device="cuda"), "cuda"),
    ):
        assert device_for_others(settings) == device


WITHOUT = """
import sys
sys.modules["torch"] = None
from quest22.engine.build import open_backend
from quest22.settings import EngineSettings
from quest22.settings.engine import EngineName
open_backend(None, EngineSettings(device="cuda:0"))
"""


def test_without_pytorch_it_is_told_how_to_install_it() -> None:
    made = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False
    )
    expected = "MissingExtraError: device 'cuda:0' needs packages that are not installed; run: pip "
    assert made.stderr.splitlines()[-1].endswith(expected + "install 'quest22[torch]'")


def test_openvino_by_name_leaves_the_native_library_out(
    checkpoint: OpenCheckpoint, caplog: pytest.LogCaptureFixture
) -> None:
    backend, line = chosen(checkpoint, replace(FLOAT32, engine="openvino"), caplog)
    assert backend.name == "openvino"
    assert line.startswith("engine openvino: decoder on OpenVINO (as --engine says), encoder")


def test_native_by_name_is_required(
    checkpoint: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEST22_NATIVE", "off")
    with pytest.raises(UsageError, match="engine native cannot run: QUEST22_NATIVE is off"):
        open_backend(checkpoint("small-test"), replace(FLOAT32, engine="native"))


def test_int4_needs_the_native_library(checkpoint: OpenCheckpoint) -> None:
    settings = EngineSettings(engine="openvino", quantization="int4")
    with pytest.raises(UsageError, match=r"'int4' needs the native library.*choose int8"):
        open_backend(checkpoint("small-test"), settings)


def test_int4_needs_whole_groups() -> None:
    with pytest.raises(UsageError, match="groups of 32, and this model has layers with 120"):
        open_backend(load("nano"), EngineSettings(engine="native", quantization="int4"))
