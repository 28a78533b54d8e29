"""Engines of PyTorch on the CPU, over the small checkpoints of this room."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

import torch

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import Checkpoint, load
from quest22.engine.engine import WhisperEngine
from quest22.engine.torch import backend as backend_module
from quest22.engine.torch.backend import BatchShape, TorchBackend
from quest22.engine.torch.device import choose_placement
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.steps import WARM_UPS, Run
from quest22.metrics import Metrics
from tests.engine.conftest import OpenCheckpoint

OpenModel = Callable[..., WhisperModel]
OpenTorchEngine = Callable[..., WhisperEngine]


@pytest.fixture(scope="session", autouse=True)
def threads() -> None:
    torch.set_num_threads(1)  # threads that wait for one another crawl on a busy machine


@pytest.fixture(scope="session")
def model(checkpoint: OpenCheckpoint) -> OpenModel:
    """The layers of a checkpoint by its name and its compute type."""
    made: dict[tuple[str, str], WhisperModel] = {}

    def open_model(name: str, compute_type: str = "float32") -> WhisperModel:
        key = name, compute_type
        if key not in made:
            found = opened(checkpoint, name)
            placement = choose_placement("cpu", compute_type)
            made[key] = WhisperModel(found.weights, found.dimensions, placement)
        return made[key]

    return open_model


@pytest.fixture(scope="session")
def torch_engine(checkpoint: OpenCheckpoint, model: OpenModel) -> OpenTorchEngine:
    """An engine by its checkpoint's name, its compute type, and how many windows go at once."""
    made: dict[tuple[str, str, int], WhisperEngine] = {}

    def open_engine(name: str, compute_type: str = "float32", rows: int = 16) -> WhisperEngine:
        key = name, compute_type, rows
        if key not in made:
            found = opened(checkpoint, name)
            backend = TorchBackend(found, model(name, compute_type), BatchShape(16, rows, 3))
            features = LogMel(found.dimensions.mel_bins)
            made[key] = WhisperEngine(found, backend, features, Metrics())
        return made[key]

    return open_engine


def opened(checkpoint: OpenCheckpoint, name: str) -> Checkpoint:
    return load("nano") if name == "nano" else checkpoint(name)


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """What was captured since; a capture is the function itself, run before as a GPU warms up."""
    runs: list[Run] = []

    def capture(run: Run) -> Run:
        for _ in range(WARM_UPS):
            run()
        runs.append(run)
        return run

    monkeypatch.setattr(backend_module, "cuda_graphs", lambda _: capture)
    return runs
