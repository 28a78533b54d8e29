"""The layers that encoder and decoder share, built from named weights.

Knows opset operations and Transformers' weight names; knows nothing of whole graphs or devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from quest22.checkpoint.weights import NOT_FINITE
from quest22.errors import EngineError

Array = NDArray[np.float32]
LAYER_NORM_EPSILON = 1e-5
INT8_LIMIT = 127.0


def constant(values: NDArray[Any]) -> ov.Node:
    """A constant; it shares the memory of ``values`` where the library allows it."""
    whole = np.ascontiguousarray(values)
    return ops.constant(whole, shared_memory=whole.flags.writeable)


def parameter(shape: list[int], element: str, name: str) -> ov.Node:
    """A named graph input; -1 stands for a dynamic size."""
    node = ops.parameter(shape, getattr(ov.Type, element), name)
    node.output(0).set_names({name})
    return node


def result(node: ov.Node, name: str) -> ov.Node:
    """A named graph output."""
    node.output(0).set_names({name})
    return ops.result(node)


def integers(*values: int) -> ov.Node:
    """A one-dimensional constant of integers: a shape, axes or an order."""
    return ops.constant(np.array(values, np.int64))


def quantize_rows(weight: Array) -> tuple[NDArray[np.int8], Array]:
    """Symmetric int8 with one scale a row (output channel): ``weight ≈ int8 * scale[:, None]``.

    Raises :class:`EngineError` for weights that are not finite: int8 would hide that.
    """
    scales = np.abs(weight).max(axis=1) / np.float32(INT8_LIMIT)
    if not np.isfinite(scales).all():
        raise EngineError(NOT_FINITE)
    scales = np.where(scales == 0, np.float32(1), scales).astype(np.float32)
    return np.rint(weight / scales[:, None]).astype(np.int8), scales


def matrix(weight: Array, int8: bool) -> ov.Node:
    """A weight matrix ``[out, in]``; with ``int8``, rounded with a scale for each row."""
    if not int8:
        return constant(weight)
    rows, scales = quantize_rows(weight)
    return ops.multiply(ops.convert(constant(rows), "f32"), constant(scales[:, None]))


@dataclass(frozen=True, slots=True)
class Layers:
    """Builds layers from weights by their names in Transformers' checkpoints."""

    weights: Mapping[str, Array]
    int8: bool = False

    def linear(self, x: ov.Output, name: str, scale: float = 1.0) -> ov.Node:
        """``scale * (x Wᵀ + b)``; the bias is left out where the checkpoint has none."""
        weight = self.weights[f"{name}.weight"]
        scaled = weight if scale == 1.0 else weight * np.float32(scale)
        y = ops.matmul(x, matrix(scaled, self.int8), transpose_a=False, transpose_b=True)
        if f"{name}.bias" not in self.weights:
            return y
        return ops.add(y, constant(self.weights[f"{name}.bias"] * np.float32(scale)))

    def layer_norm(self, x: ov.Output, name: str) -> ov.Node:
        """Normalise the last axis, then weight and bias."""
        normal = ops.mvn(x, integers(-1), True, LAYER_NORM_EPSILON, "inside_sqrt")
        weighted = ops.multiply(normal, constant(self.weights[f"{name}.weight"]))
        return ops.add(weighted, constant(self.weights[f"{name}.bias"]))

    def feed_forward(self, x: ov.Output, name: str) -> ov.Node:
        """The residual block of two linear layers with an exact GELU between."""
        hidden = self.layer_norm(x, f"{name}.final_layer_norm")
        hidden = ops.gelu(self.linear(hidden, f"{name}.fc1"), "erf")
        return ops.add(x, self.linear(hidden, f"{name}.fc2"))


def split_heads(x: ov.Output, heads: int) -> ov.Node:
    """``[B, T, heads * size]`` to ``[B, T, heads, size]``."""
    return ops.reshape(x, integers(0, 0, heads, -1), special_zero=True)


def join_heads(x: ov.Output) -> ov.Node:
    """``[B, T, heads, size]`` to ``[B, T, heads * size]``."""
    return ops.reshape(x, integers(0, 0, -1), special_zero=True)


def transpose(x: ov.Output, *order: int) -> ov.Node:
    """Reorder the axes of ``x``."""
    return ops.transpose(x, integers(*order))
