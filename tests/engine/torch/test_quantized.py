from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from quest22.engine.precision import INT4_GROUP as GROUP
from quest22.engine.torch.quantized import Bits, quantized

WEIGHT = torch.randn(24, 128, generator=torch.manual_seed(0)) * torch.logspace(-3, 1, 24)[:, None]
BIAS = torch.arange(24.0)


def test_int8_is_within_half_a_step() -> None:
    layer = quantized(WEIGHT, BIAS, "int8")
    step = WEIGHT.abs().amax(1, keepdim=True) / 127
    assert ((layer.weight - WEIGHT).abs() <= step * 0.501).all()
    assert layer.numbers.abs().amax(1).eq(127).all()


def test_int4_is_better_than_plain_scales() -> None:
    """Those that make 7 of the greatest magnitude of a group."""
    groups = WEIGHT.unflatten(1, (-1, GROUP))
    plain = groups.abs().amax(-1, keepdim=True) / 7
    left = (groups / plain).round() * plain - groups
    found = quantized(WEIGHT, BIAS, "int4").weight.unflatten(1, (-1, GROUP)) - groups
    errors, plain_errors = found.square().sum(-1), left.square().sum(-1)
    assert (errors <= plain_errors * 1.0001).all()
    assert errors.sum() < 0.9 * plain_errors.sum()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bits", ["int8", "int4"])
def test_weights_that_it_holds_are_exact(bits: Bits, dtype: torch.dtype) -> None:
    numbers = torch.randint(-7, 8, (16, 64), generator=torch.manual_seed(1))
    numbers[:, ::GROUP] = 127 if bits == "int8" else -8
    weight = (numbers * torch.tensor(0.5)).to(dtype)
    layer = quantized(weight, None, bits)
    assert layer.weight.dtype == dtype
    assert torch.equal(layer.weight, weight)
    x = torch.randn(3, 64, generator=torch.manual_seed(2)).to(dtype)
    assert torch.equal(F.linear(x, layer.weight), F.linear(x, weight))


@pytest.mark.parametrize(("bits", "size"), [("int8", 128 + 4), ("int4", 64 + 4 * 4)])
def test_memory(bits: Bits, size: int) -> None:
    layer = quantized(WEIGHT, None, bits)
    assert layer.numbers.nbytes + layer.scales.nbytes == 24 * size


@pytest.mark.parametrize("bits", ["int8", "int4"])
def test_zeros_stay(bits: Bits) -> None:
    assert not quantized(torch.zeros(4, 64), None, bits).weight.any()
