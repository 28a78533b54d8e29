"""Whisper's decoder as a stateful graph: a call feeds some tokens to every sequence of a batch.

All sequences are at the same position, so a call needs neither padding nor a position for each row.
Sequences of one window (its beams) are adjacent and share its cross-attention keys and values, as
more queries to the same keys. The keys and values of earlier tokens stay inside the graph as state.
``beams`` picks the sequence that each row continues; finished sequences leave by not being picked.
:class:`GraphDecoderNetwork` runs it step by step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from quest22.checkpoint.config import Dimensions
from quest22.decoding.alignment import Heads, Scores
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.openvino.graph_layers import (
    Array,
    Layers,
    constant,
    integers,
    join_heads,
    parameter,
    result,
    split_heads,
    transpose,
)
from quest22.system.forks import kept_in_children

_ELEMENTS = {np.dtype(np.uint16): ov.Type.bf16}
"""NumPy has no bfloat16; uint16 holds its bits."""


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The graph's inputs; ``tokens`` is ``[B, T]`` and the state holds P earlier positions."""

    tokens: ov.Node
    positions: ov.Node
    beams: ov.Node
    mask: ov.Node
    logit_positions: ov.Node
    keys: tuple[ov.Node, ...]
    values: tuple[ov.Node, ...]

    def all(self) -> list[ov.Node]:
        five = [self.tokens, self.positions, self.beams, self.mask, self.logit_positions]
        return [*five, *self.keys, *self.values]


def build_decoder(
    weights: Mapping[str, Array], dims: Dimensions, kv_element: str, int8: bool = False
) -> ov.Model:
    """Maps tokens and cross-attention keys and values to logits.

    Inputs: ``tokens [B, T]``, ``positions [T]``, ``beams [B]``, ``mask [B, 1, T, P + T]`` (0 or
    minus infinity), ``logit_positions [N]`` (indices into T), and for each layer
    ``cross_key_i [W, heads, 1500, size]`` and ``cross_value_i [W, heads, size, 1500]`` of W
    windows, each of which has B / W of the sequences.
    Output: ``logits [B, N, vocabulary]`` in float32.
    """
    layers = Layers(weights, int8)
    inputs = _inputs(dims, kv_element)
    sinks: list[ov.Node] = []
    words = constant(weights["decoder.embed_tokens.weight"])
    x = _embed(inputs, words, weights["decoder.embed_positions.weight"])
    for index in range(dims.decoder_layers):
        name = f"decoder.layers.{index}"
        attended, assigns = _self_attention(x, layers, name, inputs, dims)
        sinks += assigns
        cross_kv = (inputs.keys[index], inputs.values[index])
        x = _cross_attention(attended, layers, name, cross_kv, dims)
        x = layers.feed_forward(x, name)
    x = ops.gather(x, inputs.logit_positions, integers(1))
    # The output layer is the word embedding. It is never int8: its output would be rounded to the
    # activations' 8 bits, and near ties would fall at random.
    logits = ops.matmul(layers.layer_norm(x, "decoder.layer_norm"), words, False, True)
    return ov.Model([result(logits, "logits")], sinks, inputs.all(), "whisper_decoder")


def _inputs(dims: Dimensions, kv_element: str) -> _Inputs:
    heads, size, frames = dims.decoder_heads, _head_size(dims), dims.max_source_positions
    layers = range(dims.decoder_layers)
    return _Inputs(
        tokens=parameter([-1, -1], "i32", "tokens"),
        positions=parameter([-1], "i32", "positions"),
        beams=parameter([-1], "i32", "beams"),
        mask=parameter([-1, 1, -1, -1], "f32", "mask"),
        logit_positions=parameter([-1], "i32", "logit_positions"),
        keys=tuple(
            parameter([-1, heads, frames, size], kv_element, f"cross_key_{i}") for i in layers
        ),
        values=tuple(
            parameter([-1, heads, size, frames], kv_element, f"cross_value_{i}") for i in layers
        ),
    )


def _head_size(dims: Dimensions) -> int:
    return dims.d_model // dims.decoder_heads


def _embed(inputs: _Inputs, words: ov.Node, positions: Array) -> ov.Node:
    word = ops.gather(words, inputs.tokens, integers(0))
    return ops.add(word, ops.gather(constant(positions), inputs.positions, integers(0)))


def _self_attention(
    x: ov.Node, layers: Layers, name: str, inputs: _Inputs, dims: Dimensions
) -> tuple[ov.Node, list[ov.Node]]:
    """Attend to earlier tokens; return the new ``x`` and the operations that store the state.

    The order ReadValue, Gather, Concat, transpose, attention is what the CPU plugin fuses into a
    cache that grows in place.
    """
    heads = dims.decoder_heads
    normal = layers.layer_norm(x, f"{name}.self_attn_layer_norm")
    query = split_heads(layers.linear(normal, f"{name}.self_attn.q_proj"), heads)
    assigns, cached = [], []
    for part in ("k", "v"):
        fresh = split_heads(layers.linear(normal, f"{name}.self_attn.{part}_proj"), heads)
        grown, assign = _grow(fresh, f"{name}.{part}", inputs.beams, heads)
        cached.append(transpose(grown, 0, 2, 1, 3))
        assigns.append(assign)
    mixed = ops.scaled_dot_product_attention(transpose(query, 0, 2, 1, 3), *cached, inputs.mask)
    joined = join_heads(transpose(mixed, 0, 2, 1, 3))
    return ops.add(x, layers.linear(joined, f"{name}.self_attn.out_proj")), assigns


def _grow(fresh: ov.Node, name: str, beams: ov.Node, heads: int) -> tuple[ov.Node, ov.Node]:
    """Append ``fresh [B, T, heads, size]`` to the state ``name``."""
    size = fresh.output(0).get_partial_shape()[3].get_length()
    batch = ops.shape_of(beams, "i64")
    empty = ops.broadcast(
        ops.constant(np.float32(0)), ops.concat([batch, integers(0, heads, size)], 0)
    )
    variable = ov.op.util.Variable(_state(name, heads, size))
    past = ops.gather(ops.read_value(empty, variable), beams, integers(0))
    grown = ops.concat([past, fresh], 1)
    return grown, ops.assign(grown, variable)


def _state(name: str, heads: int, size: int) -> ov.op.util.VariableInfo:
    info = ov.op.util.VariableInfo()
    info.data_shape = ov.PartialShape([-1, -1, heads, size])
    info.data_type = ov.Type.f32
    info.variable_id = name
    return info


def _cross_attention(
    x: ov.Node, layers: Layers, name: str, cross_kv: tuple[ov.Node, ov.Node], dims: Dimensions
) -> ov.Node:
    """Two matrix products and a softmax, with the scale folded into the query."""
    heads, size = dims.decoder_heads, _head_size(dims)
    key, value = (ops.convert(each, "f32") for each in cross_kv)
    normal = layers.layer_norm(x, f"{name}.encoder_attn_layer_norm")
    query = layers.linear(normal, f"{name}.encoder_attn.q_proj", scale=size**-0.5)
    windows = ops.gather(ops.shape_of(cross_kv[0], "i64"), integers(0), integers(0))
    by_window = ops.concat([windows, integers(-1, heads, size)], 0)
    query = transpose(ops.reshape(query, by_window, special_zero=False), 0, 2, 1, 3)
    scores = ops.softmax(ops.matmul(query, key, False, True), -1)
    mixed = transpose(ops.matmul(scores, value, False, True), 0, 2, 1, 3)
    joined = ops.reshape(mixed, ops.shape_of(x, "i64"), special_zero=False)
    return ops.add(x, layers.linear(joined, f"{name}.encoder_attn.out_proj"))


def tensors(views: Mapping[str, NDArray[Any]]) -> dict[str, ov.Tensor]:
    """Tensors that share the memory of views of a :class:`CrossKVCache`."""
    return {
        name: ov.Tensor(view, list(view.shape), _ELEMENTS.get(view.dtype, ov.Type(view.dtype)))
        for name, view in views.items()
    }


class GraphDecoderNetwork:
    """A :class:`quest22.engine.cpu_backend.DecoderNetwork` of the graph of ``build_decoder``.

    The state only grows. What is to be forgotten stays in it, and is masked.
    """

    any_frames = False

    def __init__(self, decoder: ov.CompiledModel, kv_element: str) -> None:
        self.kv_element = kv_element
        self._request = kept_in_children(decoder.create_infer_request())
        self._cross_kv: CrossKVCache
        self._windows: list[int] = []
        self._known: NDArray[np.bool_] = np.ones(0, np.bool_)

    def begin(self, cross_kv: CrossKVCache, windows: Sequence[int], num_beams: int) -> None:
        self._request.reset_state()
        self._known = np.ones(0, np.bool_)
        self._cross_kv = cross_kv
        self._attend_to(list(windows))

    def keep_scores(self, heads: Heads) -> Scores | None:
        """None: they stay in the graph."""
        return None

    def select_windows(self, windows: Sequence[int]) -> None:
        self._attend_to([self._windows[window] for window in windows])

    def _attend_to(self, windows: list[int]) -> None:
        self._windows = windows
        rows = self._cross_kv.bring_together(windows)
        for name, tensor in tensors(self._cross_kv.views(rows)).items():
            self._request.set_tensor(name, tensor)

    def step(
        self,
        tokens: NDArray[np.int32],
        position: int,
        beams: NDArray[np.int32],
        logit_positions: list[int],
    ) -> Array:
        count = tokens.shape[1]
        self._known[np.flatnonzero(self._known)[position:]] = False
        inputs = {
            "tokens": tokens,
            "positions": np.arange(position, position + count, dtype=np.int32),
            "beams": beams,
            "mask": causal_mask(self._known, count, len(tokens)),
            "logit_positions": np.array(logit_positions, np.int32),
        }
        for name, values in inputs.items():
            self._request.set_tensor(name, ov.Tensor(values))
        self._request.infer()
        self._known = np.append(self._known, np.ones(count, np.bool_))
        logits: Array = self._request.get_tensor("logits").data
        return logits


def causal_mask(known: NDArray[np.bool_], count: int, rows: int) -> Array:
    """What ``count`` tokens attend to: 0, and minus infinity for what they must not.

    ``[rows, 1, count, past + count]``: of the past, what is ``known [past]``, and no later token.
    Every row has its own, although all are the same: in bfloat16, OpenVINO's fused attention with
    a cache reads past the end of a mask that it has to broadcast over rows.
    """
    past = len(known)
    mask = np.triu(np.full((count, past + count), -np.inf, np.float32), past + 1)
    mask[:, :past][:, ~known] = -np.inf
    return np.tile(mask, (rows, 1, 1, 1))
