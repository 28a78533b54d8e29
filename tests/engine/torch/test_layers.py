"""Models whose layers are copied to the device in turn, against the same models as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from quest22.audio.log_mel import LogMel
from quest22.engine.engine import WhisperEngine
from quest22.engine.torch import build
from quest22.engine.torch.backend import BatchShape, TorchBackend
from quest22.engine.torch.device import Placement, choose_placement
from quest22.engine.torch.layers import BUFFERS, StreamedLayers, bytes_of, tensors_of
from quest22.engine.torch.memory import layer_bytes, weight_bytes
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.weights import Residency
from quest22.errors import EngineError
from quest22.metrics import Metrics
from tests.engine.conftest import OpenCheckpoint
from tests.engine.torch.conftest import OpenModel, OpenTorchEngine
from tests.engine.torch.test_search import batch

CPU = torch.device("cpu")
CUDA = Placement(torch.device("cuda", 0), torch.bfloat16)


@dataclass(frozen=True)
class Inner:
    bias: torch.Tensor | None


@dataclass(frozen=True)
class Layer:
    weight: torch.Tensor
    inner: Inner


def layers(count: int) -> list[Layer]:
    return [Layer(torch.full((2, 3), n), Inner(torch.full((3,), -n))) for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 6])
@pytest.mark.parametrize("resident", [0, 1, 4])
def test_layers_come_in_their_order_time_and_again(count: int, resident: int) -> None:
    streamed = StreamedLayers(layers(count), CPU, resident)
    assert len(streamed) == count
    for _ in range(3):
        seen = [[int(part.flatten()[0]) for part in tensors_of(each)] for each in streamed]
        assert seen == [[n, -n] for n in range(count)]
    next(iter(streamed), None)  # a pass that is given up
    assert [int(each.weight[0, 0]) for each in streamed] == list(range(count))


def test_only_two_layers_are_on_the_device() -> None:
    streamed = StreamedLayers(layers(6), CPU, 1)
    first, *others = (each.weight.data_ptr() for each in streamed)
    assert len(set(others)) == BUFFERS
    assert first not in others
    assert bytes_of(layers(1)[0]) == (6 + 3) * 8


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8_kv_float32", "int4"])
@pytest.mark.parametrize("residency", [Residency(), Residency(1, 1), Residency(0, 2)])
def test_texts_are_those_of_the_whole_model(
    checkpoint: OpenCheckpoint,
    torch_engine: OpenTorchEngine,
    compute_type: str,
    residency: Residency,
) -> None:
    """To the last bit; with words, whose attention is found again."""
    found = checkpoint("small-test")
    placement = choose_placement("cpu", compute_type)
    model = WhisperModel(found.weights, found.dimensions, placement, residency)
    assert isinstance(model.weights.decoder, StreamedLayers)
    backend = TorchBackend(found, model, BatchShape(16, 16, 3))
    whisper = WhisperEngine(found, backend, LogMel(80), Metrics())
    assert whisper.run(batch()) == torch_engine("small-test", compute_type).run(batch())


@pytest.mark.parametrize("free_share", [10.0, 1.1, 0.9, 0.5])
def test_what_does_not_fit_is_copied(
    checkpoint: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch, free_share: float
) -> None:
    dims = checkpoint("small-test").dimensions
    whole = weight_bytes(dims, CUDA)
    free = int(free_share * whole)
    monkeypatch.setattr(build, "free_and_total", lambda _: (free, 2 * whole))
    assert build.choose_residency(dims, CUDA, "off") is None
    assert build.choose_residency(dims, Placement(CPU, torch.float32), "auto") is None
    if free_share > 1.25:
        assert build.choose_residency(dims, CUDA, "auto") is None
        return
    monkeypatch.setattr(build, "STREAMED_SHARE", 1.0)
    encoder, decoder = layer_bytes(dims, CUDA)
    rest = whole - encoder * dims.encoder_layers - decoder * dims.decoder_layers
    if rest + BUFFERS * (encoder + decoder) > free:
        monkeypatch.setattr("quest22.engine.torch.memory.free_and_total", lambda _: (free, 0))
        with pytest.raises(EngineError, match=r"does not run on cuda: .* needs .* for weights and"):
            build.choose_residency(dims, CUDA, "auto")
        return
    chosen = build.choose_residency(dims, CUDA, "auto")
    assert chosen is not None
    on_device = (BUFFERS + chosen.encoder) * encoder + (BUFFERS + chosen.decoder) * decoder
    assert rest + on_device <= free
    assert chosen.encoder == 0 or chosen.decoder == dims.decoder_layers


@pytest.mark.parametrize("compute_type", ["float32", "int8", "int4_bfloat16"])
def test_the_size_of_layers(
    checkpoint: OpenCheckpoint, model: OpenModel, compute_type: str
) -> None:
    opened = model("small-test", compute_type)
    sizes = [
        bytes_of(next(iter(each))) for each in (opened.weights.encoder, opened.weights.decoder)
    ]
    told = layer_bytes(checkpoint("small-test").dimensions, opened.placement)
    assert list(told) == pytest.approx(sizes, rel=0.05)
