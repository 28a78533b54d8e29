"""What is said of an engine is what opens."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from quest22.checkpoint.known_models import KNOWN_MODELS
from quest22.engine import build
from quest22.engine.build import choose_engine, open_backend
from quest22.engine.describe import COMPUTE_TYPES, compute_types, describe_engine
from quest22.errors import UsageError
from quest22.settings import EngineSettings
from quest22.settings.engine import EngineName
from tests.engine.conftest import OpenCheckpoint


@pytest.mark.parametrize("native", ["on", "off"])
@pytest.mark.parametrize("compute_type", ["auto", "float32", "float16"])
@pytest.mark.parametrize("engine", ["auto", "openvino"])
def test_the_engine_is_the_one_that_opens(
    checkpoint: OpenCheckpoint,
    monkeypatch: pytest.MonkeyPatch,
    native: str,
    compute_type: str,
    engine: EngineName,
) -> None:
    monkeypatch.setenv("QUEST22_NATIVE", native)
    settings = EngineSettings(
        engine=engine, device="cpu", compute_type=compute_type, batch_size=1, threads=1
    )
    model = checkpoint("small-test")
    told, opened = describe_engine(model.dimensions, settings), open_backend(model, settings)
    assert (told.name, told.compute_type, told.device) == (
        opened.name,
        opened.compute_type,
        opened.device_type,
    )
    assert told.why
    assert (told.name == "openvino") is ("; " in told.why)


def test_compute_types_are_those_that_are_computed_as_they_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "_GPU_DRIVERS", ())
    found = list(compute_types(KNOWN_MODELS["base"].dimensions))
    assert "float32" in found
    assert set(found) <= set(COMPUTE_TYPES)
    monkeypatch.setenv("QUEST22_NATIVE", "off")
    assert not {"int16", "int8_kv"} & set(compute_types(KNOWN_MODELS["base"].dimensions))


@pytest.mark.parametrize(
    ("engine", "device", "reason"),
    [
        ("torch", "auto", "as --engine says"),
        ("native", "auto", "as --engine says"),
        ("auto", "cpu", "as --device says"),
        ("auto", "mps", "as --device says"),
        ("auto", "auto", "there is no GPU with a driver for PyTorch"),
    ],
)
def test_why_an_engine_is_chosen(
    monkeypatch: pytest.MonkeyPatch, engine: EngineName, device: str, reason: str
) -> None:
    monkeypatch.setattr(build, "_GPU_DRIVERS", ())
    choice = choose_engine(EngineSettings(engine=engine, device=device))
    assert (choice.reason, choice.advice) == (reason, "")


def test_a_pytorch_that_does_not_load_leaves_the_cpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver = tmp_path / "nvidiactl"
    driver.touch()
    monkeypatch.setattr(build, "_GPU_DRIVERS", (str(driver),))
    monkeypatch.setattr(build, "find_spec", lambda _: True)
    monkeypatch.setitem(sys.modules, "quest22.engine.torch.device", None)
    choice = choose_engine(EngineSettings())
    assert (choice.torch, choice.reason) == (False, "the GPU is not used")
    assert choice.advice.startswith("PyTorch does not load: import of quest22.engine.torch.device")


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="device 'npu' is unknown"):
        describe_engine(KNOWN_MODELS["tiny"].dimensions, EngineSettings(device="npu"))
