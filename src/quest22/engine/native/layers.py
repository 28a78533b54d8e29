"""A checkpoint's weights into the library's layers, found by Transformers' names."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.weights import NOT_FINITE, Weights
from quest22.errors import EngineError

Array = NDArray[np.float32]

FLOAT32, BFLOAT16, INT8 = 0, 1, 2
"""Elements, as the library counts them."""

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Linear:
    """Where a checkpoint's linear layer goes: ``number`` and first output as the library counts."""

    name: str
    number: int
    first: int = 0
    scale: float = 1.0


def put_linear(library: ctypes.CDLL, place: int, weights: Weights, layer: Linear) -> None:
    """Into the layer at the address ``place``; a kernel ``[outputs, inputs, taps]`` tap by tap.

    Some rows at a time: a checkpoint in float16 would be held in float32 as a whole. Raises
    :class:`EngineError` where weights are not finite, a bias has another shape or memory runs out.
    """
    outputs = weights.shape(f"{layer.name}.weight")[0]
    bias = f"{layer.name}.bias"
    biases = weights[bias] if bias in weights else np.zeros(outputs, np.float32)
    if biases.shape != (outputs,):
        raise EngineError(f"{bias} has the shape {biases.shape}: expected {(outputs,)}")
    for start in range(0, outputs, _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        rows, shift = weights.rows(f"{layer.name}.weight", some), floats(biases[some])
        if rows.ndim == 3:
            rows = rows.transpose(0, 2, 1).reshape(len(rows), -1)
        rows = floats(rows)
        if not np.isfinite(rows).all():  # int8 would hide them
            raise EngineError(NOT_FINITE)
        given = (rows.ctypes.data, shift.ctypes.data)
        first = layer.first + start
        check(library.quest22_put_linear(place, first, len(rows), *given, layer.scale))


def put_norm(library: ctypes.CDLL, place: int, weights: Weights, name: str) -> None:
    """Into the norm at the address ``place``."""
    weight, bias = (floats(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
    library.quest22_put_norm(place, weight.ctypes.data, bias.ctypes.data, len(weight))


def floats(values: NDArray[Any]) -> Array:
    """In float32, in order in memory."""
    return np.ascontiguousarray(values, np.float32)


def addresses(arrays: Iterable[NDArray[Any]]) -> NDArray[np.uintp]:
    """Where arrays lie in memory, which they must outlive."""
    return np.array([each.ctypes.data for each in arrays], np.uintp)


def check(answer: int) -> None:
    """Raises :class:`EngineError` where the library says that memory ran out."""
    if answer:
        raise EngineError("not enough memory; try a smaller --batch-size or a smaller model")
