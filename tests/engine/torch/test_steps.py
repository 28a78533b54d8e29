"""Steps of fixed shape, as they are captured on a GPU: here a capture is the function itself."""

from __future__ import annotations

import pytest
import torch

from quest22.audio.log_mel import LogMel
from quest22.engine.engine import WhisperEngine
from quest22.engine.torch import backend as backend_module
from quest22.engine.torch.backend import BatchShape, TorchBackend
from quest22.engine.torch.steps import Run, StepRunner, cuda_graphs
from quest22.metrics import Metrics
from tests.engine.conftest import OpenCheckpoint
from tests.engine.torch.conftest import OpenModel, OpenTorchEngine
from tests.engine.torch.test_search import batch, same


def test_fixed_shapes_change_nothing(
    checkpoint: OpenCheckpoint,
    model: OpenModel,
    torch_engine: OpenTorchEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows padded to powers of two, in memory of their own that later batches use again."""
    captured: list[Run] = []

    def capture(run: Run) -> Run:
        captured.append(run)
        return run

    monkeypatch.setattr(backend_module, "cuda_graphs", lambda _: capture)
    found = checkpoint("small-test")
    backend = TorchBackend(found, model("small-test"), BatchShape(8, 3, 3))
    engine = WhisperEngine(found, backend, LogMel(80), Metrics())
    expected = torch_engine("small-test", rows=5).run(batch())
    same(engine.run(batch()), expected)
    shapes = len(captured)
    assert shapes >= 2
    same(engine.run(batch()), expected)
    assert len(captured) == shapes


def test_windows_are_rounded_up_to_powers_of_two(model: OpenModel) -> None:
    def count(live: int, places: int, fixed: bool) -> int:
        capture = (lambda run: run) if fixed else None
        return StepRunner(model("small-test"), None, None, capture).count(live, places)

    assert [count(live, 6, True) for live in range(1, 7)] == [1, 2, 4, 4, 6, 6]
    assert [count(live, 6, False) for live in range(1, 7)] == [1, 2, 3, 4, 5, 6]


def test_only_cuda_has_graphs() -> None:
    assert cuda_graphs(torch.device("cpu")) is None
    assert cuda_graphs(torch.device("mps")) is None
