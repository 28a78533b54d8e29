"""Rounds the inputs of layers in float8 with one kernel of Triton, which reads them once.

Not measured on a GPU yet. The arithmetic is that of :func:`quest22.engine.torch.fp8.round_rows`.
``TRITON_INTERPRET=1`` runs it on a CPU.
"""

# What Triton compiles has its own types and names.
# ruff: noqa: ANN001, ANN202, N803

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from quest22.engine.torch import fp8

_LARGEST = tl.constexpr(fp8.LARGEST)
_LEAST = tl.constexpr(fp8.LEAST_SCALE)
_SMALLEST = tl.constexpr(2.0**-6)
"""Whose digits are all there; below it, float8 has steps of 2 ** -9."""

_EVEN_STEPS = tl.constexpr(1.5 * 2.0**14)
"""A number that float32 has the same steps about."""


def round_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows ``[n, size]`` in float8, and scales ``[n, 1]`` by which the greatest is its largest."""
    count, size = x.shape
    numbers = torch.empty_like(x, dtype=fp8.FORMAT, memory_format=torch.contiguous_format)
    scales = torch.empty(count, 1, dtype=torch.float32, device=x.device)
    block = triton.next_power_of_2(size)
    _round[(count,)](x.contiguous(), numbers, scales, size, BLOCK=block)
    return numbers, scales


@triton.jit  # type: ignore[untyped-decorator]
def _round(x, numbers, scales, size, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """One row; ``div_rn`` rounds as PyTorch's division does, ``/`` would not.

    Numbers are rounded to the nearest float8, ties to even, before they are converted: what
    conversions do depends on the GPU, and Triton's interpreter gets it wrong.
    """
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    known = columns < size
    exact = tl.load(x + row * size + columns, mask=known, other=0.0).to(tl.float32)
    scale = tl.maximum(tl.div_rn(tl.max(tl.abs(exact)), _LARGEST), _LEAST)
    small = tl.minimum(tl.maximum(tl.div_rn(exact, scale), -_LARGEST), _LARGEST)
    bits = small.to(tl.int32, bitcast=True)
    bits = (bits + 0x7FFFF + ((bits >> 20) & 1)) & -0x100000  # three digits of 23 are left
    least = (small + _EVEN_STEPS) - _EVEN_STEPS
    small = tl.where(tl.abs(small) < _SMALLEST, least, bits.to(tl.float32, bitcast=True))
    tl.store(numbers + row * size + columns, small.to(tl.float8e4nv), mask=known)
    tl.store(scales + row, scale)
