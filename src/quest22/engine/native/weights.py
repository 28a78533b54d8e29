"""A checkpoint's weights into the library's layers, found by Transformers' names."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from quest22.checkpoint.weights import NOT_FINITE, Weights
from quest22.errors import EngineError
from quest22.native.library import addresses

Array = NDArray[np.float32]

FLOAT32, BFLOAT16, INT8, INT16, _FLOAT16, INT4 = range(6)
"""Elements, as the library counts them."""

ROWS_AT_ONCE = 4096
_KV_TYPES = {"f32": np.float32, "bf16": np.uint16, "i8": np.int8}


@dataclass(frozen=True, slots=True)
class Linear:
    """Where a checkpoint's linear layer goes: ``number`` and first output as the library counts.

    ``scale`` multiplies its outputs. ``balance [inputs]`` divides its weights; the norm before it
    multiplies by the same.
    """

    name: str
    number: int
    first: int = 0
    scale: float = 1.0
    balance: Array | None = None


@dataclass(frozen=True, slots=True)
class Norm:
    """A checkpoint's layer norm, whose outputs ``balance`` multiplies."""

    name: str
    balance: Array | None = None


def open_part(library: ctypes.CDLL, part: str, shape: Sequence[int], *formats: int) -> int | None:
    """The ``encoder`` or ``decoder`` of a shape, its weights all zero; None where no code runs it.

    ``formats`` are what its function takes, what rows are first. Raises :class:`EngineError` where
    memory runs out.
    """
    numbers = np.array(shape, np.int32)
    if not getattr(library, f"quest22_{part}_supports")(numbers.ctypes.data, formats[0]):
        return None
    handle = ctypes.c_void_p()
    getattr(library, f"quest22_{part}_open")(numbers.ctypes.data, *formats, ctypes.byref(handle))
    return handle.value


def put_weights(
    library: ctypes.CDLL,
    part: str,
    handle: int,
    weights: Weights,
    layers: Iterable[Linear],
    norms: Iterable[Norm],
) -> None:
    """Into what :func:`open_part` gave; ``weights`` then give back their memory.

    Norms come in the order in which the library counts them. Raises as :func:`_put_linear`.
    """
    set_linear = getattr(library, f"quest22_{part}_set_linear")
    set_norm = getattr(library, f"quest22_{part}_set_norm")
    for layer in layers:
        _put_linear(partial(set_linear, handle, layer.number), weights, layer)
        weights.release()  # else all pages of the file would be in memory beside the layers
    for number, norm in enumerate(norms):
        _put_norm(partial(set_norm, handle, number), weights, norm)
    weights.release()


def self_attention(name: str, number: int, width: int, scale: float) -> Iterator[Linear]:
    """A block's layers for it: ``number`` holds queries, keys and values, the next its output.

    ``scale`` goes into the queries' weights.
    """
    yield Linear(f"{name}.self_attn.q_proj", number, 0, scale)
    yield Linear(f"{name}.self_attn.k_proj", number, width)
    yield Linear(f"{name}.self_attn.v_proj", number, 2 * width)
    yield Linear(f"{name}.self_attn.out_proj", number + 1)


def _put_linear(set_linear: Callable[..., None], weights: Weights, layer: Linear) -> None:
    """Into the layer that ``set_linear`` sets; a kernel ``[outputs, inputs, taps]`` tap by tap.

    Some rows at a time: a checkpoint in float16 would be held in float32 as a whole. Raises
    :class:`EngineError` where weights are not finite, a bias has another shape or memory runs out.
    """
    outputs = weights.shape(f"{layer.name}.weight")[0]
    bias = f"{layer.name}.bias"
    biases = weights[bias] if bias in weights else np.zeros(outputs, np.float32)
    if biases.shape != (outputs,):
        raise EngineError(f"{bias} has the shape {biases.shape}: expected {(outputs,)}")
    for start in range(0, outputs, ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        rows, shift = weights.rows(f"{layer.name}.weight", some), floats(biases[some])
        if rows.ndim == 3:
            rows = rows.transpose(0, 2, 1).reshape(len(rows), -1)
        rows = floats(rows)
        if not np.isfinite(rows).all():  # int8 would hide them
            raise EngineError(NOT_FINITE)
        if layer.balance is not None:
            rows = rows / layer.balance
        given = (rows.ctypes.data, shift.ctypes.data)
        set_linear(layer.first + start, *rows.shape, *given, layer.scale)


def _put_norm(set_norm: Callable[..., None], weights: Weights, norm: Norm) -> None:
    """Into the norm that ``set_norm`` sets."""
    weight, bias = (floats(weights[f"{norm.name}.{part}"]) for part in ("weight", "bias"))
    if norm.balance is not None:
        weight, bias = weight * norm.balance, bias * norm.balance
    set_norm(weight.size, *addresses([weight, bias], np.float32, (weight.size,)).tolist())


def floats(values: NDArray[Any]) -> Array:
    """In float32, in order in memory."""
    return np.ascontiguousarray(values, np.float32)


@dataclass(frozen=True, slots=True)
class CrossKVLayout:
    """What the library expects of the arrays of a :class:`CrossKVCache`."""

    heads: int
    size: int

    def __call__(
        self, part: str, element: str, windows: int, frames: int
    ) -> tuple[DTypeLike, tuple[int, ...]]:
        """The type and shape of ``cross_{part}_{layer}`` for windows of so many frames."""
        is_scale, is_key = part.endswith("_scale"), part.startswith("key")
        frames = 1 if is_scale else frames
        last = (frames, self.size) if is_key else (self.size, frames)
        return _KV_TYPES["f32" if is_scale else element], (windows, self.heads, *last)
