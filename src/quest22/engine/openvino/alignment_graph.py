"""Whisper's decoder as a graph over whole texts: attention scores and token probabilities.

Has no state. Knows layers and heads, but no devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from quest22.checkpoint.config import Dimensions
from quest22.decoding.alignment import Heads
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

_ALL = np.iinfo(np.int64).max


def build_alignment(
    weights: Mapping[str, Array],
    dims: Dimensions,
    heads: Heads,
    text: tuple[int, int],
    kv_element: str,
) -> ov.Model:
    """Maps known texts and cross-attention keys and values to scores and probabilities.

    ``text`` says how many tokens go before a text, and how many text tokens the vocabulary has.
    Inputs: ``tokens [B, T]``, and what :class:`quest22.engine.cross_kv_cache.CrossKVCache` holds in
    ``kv_element``, of any number of frames. Outputs, float32: ``scores [B, heads, T, frames]``,
    products of queries and keys, and ``probabilities [B, T - before]``: of each token after the
    first, among the text tokens.
    """
    before, vocabulary = text
    layers = Layers(weights)
    tokens = parameter([-1, -1], "i32", "tokens")
    words = constant(weights["decoder.embed_tokens.weight"][:vocabulary])
    x = _embed(tokens, weights)
    scores: list[ov.Node] = []
    cross_kv: list[ov.Node] = []
    for index in range(dims.decoder_layers):
        name = f"decoder.layers.{index}"
        inputs, key, value = _cross_kv(index, dims, kv_element)
        cross_kv += inputs
        x = _self_attention(x, layers, name, dims.decoder_heads)
        x, all_scores = _cross_attention(x, layers, name, (key, value), dims)
        chosen = [head for layer, head in heads if layer == index]
        if chosen:
            scores.append(ops.gather(all_scores, integers(*chosen), integers(1)))
        x = layers.feed_forward(x, name)
    x = layers.layer_norm(_slice(x, before - 1, -1), "decoder.layer_norm")
    shares = _probabilities(x, words, _slice(tokens, before, _ALL), vocabulary)
    results = [result(_join(scores), "scores"), result(shares, "probabilities")]
    return ov.Model(results, [tokens, *cross_kv], "whisper_alignment")


def _cross_kv(
    index: int, dims: Dimensions, kv_element: str
) -> tuple[list[ov.Node], ov.Node, ov.Node]:
    """A layer's inputs, and its keys and values made of them in float32."""
    heads = dims.decoder_heads
    size = dims.d_model // heads
    inputs, cross_kv = [], []
    for name, shape, scaled in (("key", [-1, size], 0), ("value", [size, -1], 1)):
        stored = parameter([-1, heads, *shape], kv_element, f"cross_{name}_{index}")
        floats = ops.convert(stored, "f32")
        inputs.append(stored)
        if kv_element == "i8":
            shape[scaled] = 1
            scales = parameter([-1, heads, *shape], "f32", f"cross_{name}_scale_{index}")
            floats = ops.multiply(floats, scales)
            inputs.append(scales)
        cross_kv.append(floats)
    return inputs, cross_kv[0], cross_kv[1]


def _embed(tokens: ov.Node, weights: Mapping[str, Array]) -> ov.Node:
    words = constant(weights["decoder.embed_tokens.weight"])
    positions = constant(weights["decoder.embed_positions.weight"])
    count = ops.gather(ops.shape_of(tokens, "i64"), integers(1), integers(0))
    known = ops.slice(positions, integers(0), count, integers(1), integers(0))
    return ops.add(ops.gather(words, tokens, integers(0)), known)


def _self_attention(x: ov.Node, layers: Layers, name: str, heads: int) -> ov.Node:
    normal = layers.layer_norm(x, f"{name}.self_attn_layer_norm")
    query, key, value = (
        transpose(
            split_heads(layers.linear(normal, f"{name}.self_attn.{part}_proj"), heads), 0, 2, 1, 3
        )
        for part in ("q", "k", "v")
    )
    mixed = ops.scaled_dot_product_attention(query, key, value, causal=True)
    joined = join_heads(transpose(mixed, 0, 2, 1, 3))
    return ops.add(x, layers.linear(joined, f"{name}.self_attn.out_proj"))


def _cross_attention(
    x: ov.Node, layers: Layers, name: str, cross_kv: tuple[ov.Node, ov.Node], dims: Dimensions
) -> tuple[ov.Node, ov.Node]:
    """The new ``x``, and the scores of all heads: ``[B, heads, T, frames]``."""
    key, value = cross_kv
    scale = (dims.d_model // dims.decoder_heads) ** -0.5
    normal = layers.layer_norm(x, f"{name}.encoder_attn_layer_norm")
    query = layers.linear(normal, f"{name}.encoder_attn.q_proj", scale=scale)
    query = transpose(split_heads(query, dims.decoder_heads), 0, 2, 1, 3)
    scores = ops.matmul(query, key, False, True)
    mixed = ops.matmul(ops.softmax(scores, -1), value, False, True)
    joined = join_heads(transpose(mixed, 0, 2, 1, 3))
    return ops.add(x, layers.linear(joined, f"{name}.encoder_attn.out_proj")), scores


def _probabilities(x: ov.Node, words: ov.Node, targets: ov.Node, vocabulary: int) -> ov.Node:
    """The softmax of ``x · wordsᵀ`` at each target; other targets count as the last word."""
    logits = ops.matmul(x, words, False, True)
    known = ops.minimum(targets, ops.constant(np.int32(vocabulary - 1)))
    chosen = ops.squeeze(ops.gather_elements(logits, ops.unsqueeze(known, integers(2)), 2), [2])
    highest = ops.reduce_max(logits, integers(2), True)
    total = ops.reduce_sum(ops.exp(ops.subtract(logits, highest)), integers(2), False)
    above = ops.subtract(chosen, ops.squeeze(highest, integers(2)))
    return ops.divide(ops.exp(above), total)


def _slice(x: ov.Node, start: int, stop: int) -> ov.Node:
    return ops.slice(x, integers(start), integers(stop), integers(1), integers(1))


def _join(scores: Sequence[ov.Node]) -> ov.Node:
    return scores[0] if len(scores) == 1 else ops.concat(list(scores), 1)
