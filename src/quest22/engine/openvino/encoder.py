"""Whisper's encoder as a graph that ends in the decoder's cross-attention keys and values.

One window per call. The keys and values depend only on the audio, so they are computed here once,
in the layouts that make each decoding step a plain matrix product: keys ``[1, heads, 1500, size]``
and values transposed, ``[1, heads, size, 1500]``. :class:`GraphEncoderRunner` fills the rows of a
batch with them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

import openvino as ov
from openvino import opset13 as ops

from quest22.checkpoint.config import Dimensions
from quest22.engine.backend import Features
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.openvino.decoder import tensors
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

OpenEncoder = Callable[[int], ov.CompiledModel]
"""Opens the encoder for this many windows at once."""


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


class GraphEncoderRunner:
    """An :class:`quest22.engine.cpu_backend.EncoderRunner` of the graph of ``build_encoder``.

    Encodes ``streams`` windows at once in batches of at least as many, else one after the other on
    all cores. With many cores, several windows at once are faster, because fewer threads wait for
    the slowest one at every operation; a single window is faster on all cores together. Each mode
    has its own compiled graph, opened when it is first needed: transcribing files one by one never
    compiles the other.
    """

    def __init__(self, open_encoder: OpenEncoder, cross_kv: CrossKVCache, streams: int) -> None:
        self._open = open_encoder
        self._cross_kv = cross_kv
        self._streams = streams
        self._requests: dict[int, list[ov.InferRequest]] = {}
        self._free: list[ov.InferRequest] = []
        self._running: deque[ov.InferRequest] = deque()

    def begin_batch(self, windows: int) -> None:
        while self._running:
            with suppress(RuntimeError):  # reported when that batch failed
                self._running.popleft().wait()
        self._free = self._open_requests(self._streams if windows >= self._streams else 1).copy()

    def wait_for_slot(self) -> None:
        if not self._free:
            self._wait_for_first()

    def submit(self, row: int, features: Features) -> None:
        self.wait_for_slot()
        request = self._free.pop()
        for name, tensor in tensors(self._cross_kv.views(slice(row, row + 1))).items():
            request.set_tensor(name, tensor)
        request.set_tensor("features", ov.Tensor(features[None]))
        request.start_async()
        self._running.append(request)

    def wait(self) -> None:
        while self._running:
            self._wait_for_first()

    def _wait_for_first(self) -> None:
        request = self._running.popleft()
        request.wait()
        self._free.append(request)

    def _open_requests(self, streams: int) -> list[ov.InferRequest]:
        if streams not in self._requests:
            encoder = self._open(streams)
            self._requests[streams] = [encoder.create_infer_request() for _ in range(streams)]
        return self._requests[streams]
