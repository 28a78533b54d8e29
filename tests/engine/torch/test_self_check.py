from __future__ import annotations

import pytest
import torch
from torch import Tensor

from quest22.engine.torch import build, self_check
from quest22.engine.torch.cache import SelfKVCache
from quest22.engine.torch.device import Placement
from quest22.engine.torch.model import WhisperModel
from quest22.errors import EngineError
from quest22.settings import EngineSettings
from tests.engine.conftest import OpenCheckpoint

HERE = Placement(torch.device("cpu"), torch.float32)


def test_a_device_that_computes_rightly_is_taken(checkpoint: OpenCheckpoint) -> None:
    found = checkpoint("small-test")
    self_check.check_device(found.weights, found.dimensions, HERE)


class Faulty(WhisperModel):
    """Wrong where it does not count as the CPU."""

    def logits(self, x: Tensor, vocabulary: int | None = None) -> Tensor:
        right = super().logits(x, vocabulary)
        if self.placement is HERE:
            right[..., 7] = 0
            right[..., 70:90] *= 1.4
        return right


class Forgetful(SelfKVCache):
    """Does not exchange rows."""

    def continue_from(self, rows: object, length: int) -> None:
        pass


def test_a_fault_in_products_is_told(
    checkpoint: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_check, "WhisperModel", Faulty)
    found = checkpoint("small-test")
    with pytest.raises(EngineError, match="computes wrongly on cpu: logits differ from the CPU's"):
        self_check.check_device(found.weights, found.dimensions, HERE)


def test_a_fault_in_caches_is_told(
    checkpoint: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches = iter([SelfKVCache, Forgetful])  # of the CPU, then of the device

    def cache(*given: object) -> SelfKVCache:
        return next(caches)(*given)

    monkeypatch.setattr(self_check, "SelfKVCache", cache)
    found = checkpoint("small-test")
    with pytest.raises(EngineError, match="use --device cpu"):
        self_check.check_device(found.weights, found.dimensions, HERE)


def test_apples_are_checked_before_they_are_trusted(
    checkpoint: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Placement] = []

    def check(weights: object, dims: object, placement: Placement) -> None:
        asked.append(placement)
        raise EngineError("it computes wrongly")

    mps = Placement(torch.device("mps"), torch.float32)
    monkeypatch.setattr(build, "check_device", check)
    monkeypatch.setattr(build, "choose_placement", lambda *_: mps)
    with pytest.raises(EngineError, match="it computes wrongly"):
        build.open_torch_backend(checkpoint("small-test"), EngineSettings())
    assert asked == [mps]
