"""ggml's number formats to float32: plain ones, and blocks of 32 numbers with a scale of their own.

The formats are those of ``ggml-common.h`` and ``dequantize_row_*`` in whisper.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.formats.safetensors import NUMPY_TYPES

BLOCK = 32
"""Numbers in a block, which lie next to one another in a row."""

Bytes: TypeAlias = NDArray[np.uint8]
Values: TypeAlias = NDArray[np.float32]


def _float16(blocks: Bytes, at: int) -> Values:
    """A float16 of each block: ``[blocks, 1]``."""
    found: Values = blocks[:, at : at + 2].copy().view("<f2").astype(np.float32)
    return found


def _nibbles(blocks: Bytes, at: int) -> NDArray[np.uint8]:
    """Sixteen bytes of each block as 32 numbers: low halves, then high halves."""
    packed = blocks[:, at : at + 16]
    return np.concatenate([packed & 0x0F, packed >> 4], axis=1)


def _fifth_bits(blocks: Bytes, at: int) -> NDArray[np.uint8]:
    """Four bytes of each block as 32 numbers that are 0 or 16."""
    bits = np.unpackbits(blocks[:, at : at + 4], axis=1, bitorder="little")
    return bits * np.uint8(16)


def _q4_0(blocks: Bytes) -> Values:
    return (_nibbles(blocks, 2).astype(np.float32) - 8) * _float16(blocks, 0)


def _q4_1(blocks: Bytes) -> Values:
    return _nibbles(blocks, 4) * _float16(blocks, 0) + _float16(blocks, 2)


def _q5_0(blocks: Bytes) -> Values:
    whole = _nibbles(blocks, 6) | _fifth_bits(blocks, 2)
    return (whole.astype(np.float32) - 16) * _float16(blocks, 0)


def _q5_1(blocks: Bytes) -> Values:
    whole = _nibbles(blocks, 8) | _fifth_bits(blocks, 4)
    return whole * _float16(blocks, 0) + _float16(blocks, 2)


def _q8_0(blocks: Bytes) -> Values:
    return blocks[:, 2:].view(np.int8) * _float16(blocks, 0)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A format: ``numbers`` of them take ``size`` bytes; ``to_float32`` unpacks ``[blocks, size]``.

    Plain formats have the type's name in safetensors as ``dtype``, and no ``to_float32``.
    """

    name: str
    numbers: int
    size: int
    dtype: str = "F32"
    to_float32: Callable[[Bytes], Values] | None = None

    def bytes_of(self, shape: Sequence[int]) -> int | None:
        """What a tensor takes; None where its rows are no whole blocks."""
        count = math.prod(shape)
        row = shape[-1] if shape else 1
        return None if row % self.numbers else count // self.numbers * self.size

    def unpack(self, content: Bytes, shape: Sequence[int]) -> NDArray[Any]:
        """The tensor in some bytes: plain numbers as a view, blocks as float32."""
        if self.to_float32 is None:
            return content.view(NUMPY_TYPES[self.dtype]).reshape(shape)
        blocks = content.reshape(-1, self.size)
        return self.to_float32(blocks).astype(np.float32, copy=False).reshape(shape)


FORMATS = MappingProxyType(
    {
        0: NumberFormat("f32", 1, 4),
        1: NumberFormat("f16", 1, 2, dtype="F16"),
        2: NumberFormat("q4_0", BLOCK, 18, to_float32=_q4_0),
        3: NumberFormat("q4_1", BLOCK, 20, to_float32=_q4_1),
        6: NumberFormat("q5_0", BLOCK, 22, to_float32=_q5_0),
        7: NumberFormat("q5_1", BLOCK, 24, to_float32=_q5_1),
        8: NumberFormat("q8_0", BLOCK, 34, to_float32=_q8_0),
    }
)
"""By the number that ggml gives each format."""
