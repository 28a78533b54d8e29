"""Linear layers in float8 (e4m3): weights and inputs, each row with a scale of its own.

A row is the inputs of one frame, or the weights of one output; sums are float32. GPUs with such
matrix units multiply the numbers as they are. Elsewhere they are widened, which is exact, so a CPU
rounds as a GPU does; only the order and the width of sums may differ.

The format is that of Micikevicius et al. 2022 (FP8 formats for deep learning), table 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import ScalingType, scaled_mm

from quest22.checkpoint.config import Dimensions
from quest22.errors import UsageError

FORMAT = torch.float8_e4m3fn
LARGEST = torch.finfo(FORMAT).max
MULTIPLE = 16
"""GPUs multiply float8 where inputs and outputs of a layer are multiples of it."""

LEAST_SCALE = 1e-30
"""Of a row of zeros."""


@dataclass(frozen=True, slots=True)
class Fp8Linear:
    """A matrix ``[outputs, inputs]`` in float8, scales ``[outputs, 1]`` in float32, and a bias."""

    numbers: Tensor
    scales: Tensor
    bias: Tensor


def fp8(weight: Tensor, bias: Tensor) -> Fp8Linear:
    """Round a matrix ``[outputs, inputs]``; the bias stays in the format of products."""
    return Fp8Linear(*round_rows(weight), bias)


def is_in_fp8(name: str, layers: int) -> bool:
    """Whether a tensor belongs to a layer that is rounded, of an encoder of so many.

    The first and the last one stay as they are: without them, what tiny.en's encoder gives is half
    as far off (docs/gpu.md).
    """
    part, _, rest = name.partition(".layers.")
    return part == "encoder" and 0 < int(rest.partition(".")[0]) < layers - 1


def round_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows ``[n, size]`` in float8, and scales ``[n, 1]`` by which the greatest is its largest."""
    exact = x.float()
    scales = (exact.abs().amax(1, keepdim=True) / LARGEST).clamp(min=LEAST_SCALE)
    return (exact / scales).clamp(-LARGEST, LARGEST).to(FORMAT), scales


def fp8_linear(x: Tensor, layer: Fp8Linear) -> Tensor:
    """The layer's outputs for ``x [..., inputs]``, in the format of ``x``."""
    rows = x.flatten(0, -2)
    if x.device.type == "cuda":
        # Eager PyTorch would write and read each input several times, and take what fp8 saves.
        from quest22.engine.torch.fp8_kernel import round_rows as round_at_once

        y = multiply(*round_at_once(rows), layer, x.dtype)
    else:
        numbers, scales = round_rows(rows)
        sums = numbers.float() @ layer.numbers.float().T
        y = (sums * scales * layer.scales.T + layer.bias.float()).to(x.dtype)
    return y.reshape(*x.shape[:-1], -1)


def multiply(numbers: Tensor, scales: Tensor, layer: Fp8Linear, dtype: torch.dtype) -> Tensor:
    """Products of rows in float8, by the device's own instructions."""
    return scaled_mm(
        numbers,
        layer.numbers.T,
        scale_a=scales,
        scale_recipe_a=ScalingType.RowWise,
        scale_b=layer.scales.T,
        scale_recipe_b=ScalingType.RowWise,
        bias=layer.bias,
        output_dtype=dtype,
    )


def check_fp8(dims: Dimensions) -> None:
    """Raises :class:`UsageError` for an encoder whose layers do not fit the matrix units."""
    for size in (dims.d_model, dims.encoder_ffn):
        if size % MULTIPLE:
            raise UsageError(
                f"fp8_encoder needs layers whose sizes are multiples of {MULTIPLE}, and this "
                f"model has one of {size}: choose bfloat16"
            )
