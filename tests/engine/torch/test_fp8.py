"""Layers in float8: the rounding, the products by the device's call, and the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from quest22.bench.random_checkpoint import Shape, write_checkpoint
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.load import load
from quest22.engine.torch.cache import CrossKVPool
from quest22.engine.torch.device import choose_placement
from quest22.engine.torch.fp8 import (
    FORMAT,
    LARGEST,
    Fp8Linear,
    check_fp8,
    fp8,
    fp8_linear,
    is_in_fp8,
    multiply,
    round_rows,
)
from quest22.engine.torch.layers import bytes_of
from quest22.engine.torch.memory import weight_bytes
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.weights import Linear
from quest22.errors import UsageError
from tests.engine.conftest import OpenCheckpoint

ROWS = torch.randn(24, 128, generator=torch.manual_seed(0)) * torch.logspace(-3, 4, 24)[:, None]
BIAS = torch.arange(24.0).bfloat16()


def widened(layer: Fp8Linear) -> Tensor:
    return layer.numbers.float() * layer.scales


def test_numbers_keep_four_digits() -> None:
    """Of the binary kind; small ones of a row are within half of its smallest step."""
    numbers, scales = round_rows(ROWS)
    assert (numbers.dtype, scales.dtype, scales.shape) == (FORMAT, torch.float32, (24, 1))
    error = (numbers.float() * scales - ROWS).abs()
    assert (error <= torch.maximum(ROWS.abs() * 2**-4, scales * 2**-10) * 1.0001).all()
    assert numbers.float().abs().amax(1).eq(LARGEST).all()


def test_what_it_holds_is_exact() -> None:
    every = torch.arange(256, dtype=torch.uint8).view(FORMAT).float()
    finite = every[every.isfinite()].repeat(2, 1) * torch.tensor([[0.25], [8.0]])
    numbers, scales = round_rows(finite)
    assert torch.equal(numbers.float() * scales, finite)


def test_zeros_stay() -> None:
    numbers, scales = round_rows(torch.zeros(2, 16))
    assert not (numbers.float() * scales).any()


def test_products_are_those_of_what_was_rounded() -> None:
    x = torch.randn(2, 3, 128, generator=torch.manual_seed(1)).bfloat16()
    layer = fp8(ROWS.bfloat16(), BIAS)
    numbers, scales = round_rows(x.flatten(0, 1))
    exact = (numbers.double() * scales) @ widened(layer).double().T + BIAS.double()
    found = fp8_linear(x, layer)
    assert (found.shape, found.dtype) == ((2, 3, 24), torch.bfloat16)
    assert torch.allclose(found.flatten(0, 1).double(), exact, rtol=2**-7, atol=1e-3)
    plain = F.linear(x.float(), ROWS, BIAS.float())
    assert (found - plain).square().mean().sqrt() < 0.05 * plain.std()


@pytest.mark.skipif(
    tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13),
    reason="older versions of PyTorch multiply no rows of float8 on a CPU",
)
def test_the_devices_own_products_are_the_same() -> None:
    """By the call that is made on a GPU; sums differ in their last digits."""
    x = torch.randn(5, 128, generator=torch.manual_seed(2)).bfloat16()
    layer = fp8(
        torch.randn(32, 128, generator=torch.manual_seed(3)).bfloat16(), BIAS[:1].expand(32)
    )
    found = multiply(*round_rows(x), layer, torch.bfloat16)
    assert torch.allclose(found.float(), fp8_linear(x, layer).float(), rtol=2**-7, atol=1e-3)


@pytest.mark.parametrize("layers", [1, 2, 3, 6])
def test_the_first_and_the_last_layer_stay(layers: int) -> None:
    names = [f"encoder.layers.{index}.fc1" for index in range(layers)]
    rounded = [is_in_fp8(name, layers) for name in names]
    assert rounded == [0 < index < layers - 1 for index in range(layers)]
    assert not is_in_fp8("decoder.layers.1.fc1", 4)
    assert not is_in_fp8("encoder.conv1", 4)


def test_a_models_layers(tmp_path: Path) -> None:
    """Which are rounded, what they take, and what becomes of the encoder's output."""
    found = load(str(write_checkpoint(tmp_path / "model", Shape(64, 2, 4, 2))))
    exact, plain, rounded = (
        WhisperModel(found.weights, found.dimensions, choose_placement("cpu", name))
        for name in ("float32", "bfloat16", "fp8_encoder")
    )
    for number, block in enumerate(rounded.weights.encoder):
        kind = Fp8Linear if number in (1, 2) else Linear
        attention, feed_forward = block.attention, block.feed_forward
        for layer in (attention.qkv, attention.out, feed_forward.fc1, feed_forward.fc2):
            assert type(layer) is kind
    sizes = [sum(map(bytes_of, each.weights.encoder)) for each in (plain, rounded)]
    told = [weight_bytes(found.dimensions, each.placement) for each in (plain, rounded)]
    assert told[0] - told[1] == pytest.approx(sizes[0] - sizes[1], rel=0.05)
    features = torch.randn(1, 80, 3000, generator=torch.manual_seed(4))
    sounds = []
    for each in (exact, plain, rounded):
        pool = CrossKVPool(each.dims, 1, each.placement)
        with torch.inference_mode():
            sounds.append(each.encode(features, pool, slice(0, 1)).float())
    errors = [(each - sounds[0]).square().mean().sqrt() / sounds[0].std() for each in sounds[1:]]
    assert errors[0] < errors[1] < 0.1


def test_layers_of_other_sizes_are_refused(checkpoint: OpenCheckpoint) -> None:
    dims = checkpoint("small-test").dimensions
    check_fp8(dims)
    odd = Dimensions(**{**_values(dims), "d_model": 40})
    with pytest.raises(UsageError, match="multiples of 16, and this model has one of 40"):
        check_fp8(odd)


def _values(dims: Dimensions) -> dict[str, object]:
    return {name: getattr(dims, name) for name in dims.__dataclass_fields__}


PROGRAM = """
import torch
torch.set_num_threads(1)
from quest22.engine.torch import fp8, fp8_kernel

torch.manual_seed(0)
for dtype in (torch.bfloat16, torch.float32):
    rows = (torch.randn(6, 100) * torch.logspace(-3, 4, 6)[:, None]).to(dtype)
    rows[2] = 0
    wide = torch.full((6, 130), torch.nan, dtype=dtype)  # what is not its own
    wide[:, :100] = rows
    for given in (rows, wide[:, :100]):
        expected, found = fp8.round_rows(rows), fp8_kernel.round_rows(given)
        assert torch.equal(found[1], expected[1]), (found[1], expected[1])
        assert torch.equal(found[0].float(), expected[0].float())
print("right")
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
def test_the_kernel_rounds_in_the_same_way() -> None:
    """In Triton's interpreter on the CPU."""
    made = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.stdout == "right\n", made.stderr
