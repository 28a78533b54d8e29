"""A checkpoint's weights into the library's layers, found by Transformers' names."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
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


def open_part(library: ctypes.CDLL, part: str, shape: Sequence[int], *formats: int) -> int | None:
    """The ``encoder`` or ``decoder`` of a shape, its weights all zero; None where no code runs it.

    ``formats`` are what its function takes, what rows are first. Raises :class:`EngineError` where
    memory runs out.
    """
    numbers = np.array(shape, np.int32)
    if not getattr(library, f"quest22_{part}_runs")(numbers.ctypes.data, formats[0]):
        return None
    handle: int | None = getattr(library, f"quest22_{part}_open")(numbers.ctypes.data, *formats)
    check(0 if handle else -1)
    return handle


def put_weights(
    library: ctypes.CDLL,
    part: str,
    handle: int,
    weights: Weights,
    layers: Iterable[Linear],
    norms: Iterable[str],
) -> None:
    """Into what :func:`open_part` gave; ``weights`` then give back their memory.

    Norms are named in the order in which the library counts them. Raises as :func:`_put_linear`.
    """
    linear_at = getattr(library, f"quest22_{part}_linear")
    norm_at = getattr(library, f"quest22_{part}_norm")
    for layer in layers:
        _put_linear(library, linear_at(handle, layer.number), weights, layer)
    for number, name in enumerate(norms):
        _put_norm(library, norm_at(handle, number), weights, name)
    weights.release()


def self_attention(name: str, number: int, width: int, scale: float) -> Iterator[Linear]:
    """A block's layers for it: ``number`` holds queries, keys and values, the next its output.

    ``scale`` goes into the queries' weights.
    """
    yield Linear(f"{name}.self_attn.q_proj", number, 0, scale)
    yield Linear(f"{name}.self_attn.k_proj", number, width)
    yield Linear(f"{name}.self_attn.v_proj", number, 2 * width)
    yield Linear(f"{name}.self_attn.out_proj", number + 1)


def _put_linear(library: ctypes.CDLL, place: int, weights: Weights, layer: Linear) -> None:
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


def _put_norm(library: ctypes.CDLL, place: int, weights: Weights, name: str) -> None:
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
