"""Linear layers whose weights are int8 or int4, and widened to the format of products when used.

That saves memory, not time. Weights are rounded to nearest: int8 with a scale for each output, int4
with one for each output and 32 inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from quest22.engine.precision import INT4_GROUP as GROUP

Bits: TypeAlias = Literal["int8", "int4"]

_TRIALS = torch.arange(6.5, 9.5, 0.25).tolist()
"""What the weight of greatest magnitude of a group in int4 may become, with its sign turned."""


@dataclass(frozen=True, slots=True)
class Int8Linear:
    """A matrix ``[outputs, inputs]`` in int8, scales ``[outputs, 1]``, and a bias."""

    numbers: Tensor
    scales: Tensor
    bias: Tensor | None

    @property
    def weight(self) -> Tensor:
        """The matrix in the format of products."""
        return self.numbers * self.scales


@dataclass(frozen=True, slots=True)
class Int4Linear:
    """A matrix of numbers from -8 to 7, two in a byte, and a bias.

    ``numbers [outputs, groups, 16]`` are uint8: the lower halves are those of a group's first
    sixteen inputs, each plus 8. ``scales`` are ``[outputs, groups, 1]``.
    """

    numbers: Tensor
    scales: Tensor
    bias: Tensor | None

    @property
    def weight(self) -> Tensor:
        """The matrix ``[outputs, inputs]`` in the format of products."""
        halves = torch.cat((self.numbers & 15, self.numbers >> 4), -1)
        return ((halves.to(torch.int8) - 8) * self.scales).flatten(1)


def quantized(weight: Tensor, bias: Tensor | None, bits: Bits) -> Int8Linear | Int4Linear:
    """Round a matrix ``[outputs, inputs]``; the inputs of int4 are whole groups."""
    return _int8(weight, bias) if bits == "int8" else _int4(weight, bias)


def _int8(weight: Tensor, bias: Tensor | None) -> Int8Linear:
    exact = weight.float()
    scales = (exact.abs().amax(1, keepdim=True) / 127).to(weight.dtype)
    steps = torch.where(scales == 0, 1, scales).float()
    numbers = (exact / steps).round().clamp(-127, 127).to(torch.int8)
    return Int8Linear(numbers, scales, bias)


def _int4(weight: Tensor, bias: Tensor | None) -> Int4Linear:
    groups = weight.float().reshape(len(weight), -1, GROUP)
    scales = _int4_scales(groups).to(weight.dtype)
    numbers = _rounded(groups, torch.where(scales == 0, 1, scales).float()) + 8
    first, second = numbers.to(torch.uint8).chunk(2, -1)
    return Int4Linear(first | second << 4, scales, bias)


def _int4_scales(groups: Tensor) -> Tensor:
    """Of each group the scale with the least squared error of some that are tried.

    For the numbers that a trial gives, the best scale is that of least squares.
    """
    most = groups.gather(-1, groups.abs().argmax(-1, keepdim=True))
    best, least = torch.zeros_like(most), groups.square().sum(-1, keepdim=True)
    for trial in _TRIALS:
        numbers = _rounded(groups, torch.where(most == 0, 1, -most / trial))
        products = (groups * numbers).sum(-1, keepdim=True)
        scales = products / numbers.square().sum(-1, keepdim=True).clamp(min=1)
        error = (groups - scales * numbers).square().sum(-1, keepdim=True)
        best = torch.where(error < least, scales, best)
        least = torch.minimum(error, least)
    return best


def _rounded(groups: Tensor, scales: Tensor) -> Tensor:
    return (groups / scales).round().clamp(-8, 7)
