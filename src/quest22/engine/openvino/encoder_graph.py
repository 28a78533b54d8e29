"""Whisper's encoder as a graph that ends in the decoder's cross-attention keys and values.

One window per call. The keys and values depend only on the audio, so they are computed here once,
in the layouts that make each decoding step a plain matrix product: keys ``[1, heads, 1500, size]``
and values transposed, ``[1, heads, size, 1500]``.
"""

from __future__ import annotations

from collections.abc import Mapping

import openvino as ov
from openvino import opset13 as ops

from quest22.checkpoint.config import Dimensions
from quest22.engine.openvino.graph_layers import (
    Array,
    Layers,
    constant,
    join_heads,
    parameter,
    result,
    split_heads,
    transpose,
)


def build_encoder(
    weights: Mapping[str, Array], dims: Dimensions, kv_element: str, int8: bool = False
) -> ov.Model:
    """Maps features ``[1, mel bins, 3000]`` to ``cross_key_i`` and ``cross_value_i`` per layer.

    ``kv_element`` is the element type of the outputs: ``f32``, ``bf16`` or ``f16``.
    """
    layers = Layers(weights, int8)
    features = parameter([1, dims.mel_bins, 2 * dims.max_source_positions], "f32", "features")
    x = _convolve(features.output(0), weights)
    x = ops.add(x, constant(weights["encoder.embed_positions.weight"][None]))
    for index in range(dims.encoder_layers):
        x = _block(x.output(0), layers, f"encoder.layers.{index}", dims.encoder_heads)
    x = layers.layer_norm(x.output(0), "encoder.layer_norm")
    results = []
    for index in range(dims.decoder_layers):
        results += _cross_kv(x, layers, index, dims.decoder_heads, kv_element)
    return ov.Model(results, [features], "whisper_encoder")


def _convolve(features: ov.Output, weights: Mapping[str, Array]) -> ov.Node:
    """The two convolutions with GELU; the second halves the frames: ``[1, 1500, d_model]``."""
    x = features
    for name, stride in (("encoder.conv1", 1), ("encoder.conv2", 2)):
        kernel = constant(weights[f"{name}.weight"])
        y = ops.convolution(x, kernel, [stride], [1], [1], [1])
        bias = weights[f"{name}.bias"][None, :, None]
        x = ops.gelu(ops.add(y, constant(bias)), "erf").output(0)
    return transpose(x, 0, 2, 1)


def _block(x: ov.Output, layers: Layers, name: str, heads: int) -> ov.Node:
    normal = layers.layer_norm(x, f"{name}.self_attn_layer_norm")
    query, key, value = (
        transpose(
            split_heads(layers.linear(normal, f"{name}.self_attn.{part}_proj"), heads), 0, 2, 1, 3
        )
        for part in ("q", "k", "v")
    )
    mixed = ops.scaled_dot_product_attention(query, key, value)
    joined = join_heads(transpose(mixed, 0, 2, 1, 3))
    x = ops.add(x, layers.linear(joined, f"{name}.self_attn.out_proj"))
    return layers.feed_forward(x, name)


def _cross_kv(x: ov.Node, layers: Layers, index: int, heads: int, kv_element: str) -> list[ov.Node]:
    """The keys and values that decoder layer ``index`` attends to, as named results."""
    name = f"decoder.layers.{index}.encoder_attn"
    key = transpose(split_heads(layers.linear(x, f"{name}.k_proj"), heads), 0, 2, 1, 3)
    value = transpose(split_heads(layers.linear(x, f"{name}.v_proj"), heads), 0, 2, 3, 1)
    results = []
    for label, node in ((f"cross_key_{index}", key), (f"cross_value_{index}", value)):
        typed = node if kv_element == "f32" else ops.convert(node, kv_element)
        results.append(result(typed, label))
    return results
