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
    integers,
    join_heads,
    parameter,
    result,
    split_heads,
    transpose,
)
from quest22.system.forks import kept_in_children

OpenEncoder = Callable[[int, int | None], ov.CompiledModel]
"""Opens the encoder for this many windows at once, each of so many frames; None: of any number."""


def build_encoder(
    weights: Mapping[str, Array],
    dims: Dimensions,
    kv_element: str,
    int8: bool = False,
    frames: int | None = None,
) -> ov.Model:
    """Maps features ``[1, mel bins, 2 frames]`` to ``cross_key_i`` and ``cross_value_i`` per layer.

    ``kv_element`` is the element type of the outputs: ``f32``, ``bf16`` or ``f16``. ``frames``
    None: any number of them, up to 1500.
    """
    layers = Layers(weights, int8)
    mel_frames = 2 * frames if frames else -1
    features = parameter([1, dims.mel_bins, mel_frames], "f32", "features")
    x = _convolve(features.output(0), weights)
    x = ops.add(x, _positions(x, weights["encoder.embed_positions.weight"][None], frames))
    for index in range(dims.encoder_layers):
        x = _block(x.output(0), layers, f"encoder.layers.{index}", dims.encoder_heads)
    x = layers.layer_norm(x.output(0), "encoder.layer_norm")
    results = []
    for index in range(dims.decoder_layers):
        results += _cross_kv(x, layers, index, dims.decoder_heads, kv_element)
    return ov.Model(results, [features], "whisper_encoder")


def _positions(x: ov.Node, positions: Array, frames: int | None) -> ov.Node:
    """The positional embedding of the frames of ``x [1, frames, d_model]``."""
    if frames:
        return constant(positions[:, :frames])
    count = ops.gather(ops.shape_of(x, "i64"), integers(1), integers(0))
    return ops.slice(constant(positions), integers(0), count, integers(1), integers(1))


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
    compiles the other. So have windows with fewer frames: for full ones, a graph of fixed shape is
    a little faster.
    """

    def __init__(self, open_encoder: OpenEncoder, cross_kv: CrossKVCache, streams: int) -> None:
        self._open = open_encoder
        self._cross_kv = cross_kv
        self._streams = streams
        self._at_once = 1
        self._free: dict[tuple[int, int | None], list[ov.InferRequest]] = {}
        self._running: deque[tuple[ov.InferRequest, list[ov.InferRequest]]] = deque()

    def begin_batch(self, windows: int) -> None:
        while self._running:
            with suppress(RuntimeError):  # reported when that batch failed
                self._wait_for_first()
        self._at_once = self._streams if windows >= self._streams else 1

    def wait_for_slot(self) -> None:
        if len(self._running) == self._at_once:
            self._wait_for_first()

    def submit(self, row: int, features: Features) -> None:
        self.wait_for_slot()
        frames = features.shape[1] // 2
        free = self._free_requests(frames if frames == self._cross_kv.max_frames else None)
        request = free[-1]
        for name, tensor in tensors(self._cross_kv.open_row(row, frames)).items():
            request.set_tensor(name, tensor)
        request.set_tensor("features", ov.Tensor(features[None]))
        request.start_async()
        self._running.append((free.pop(), free))

    def wait(self) -> None:
        while self._running:
            self._wait_for_first()

    def _wait_for_first(self) -> None:
        request, free = self._running.popleft()
        free.append(request)
        request.wait()

    def _free_requests(self, frames: int | None) -> list[ov.InferRequest]:
        """Those of the graph for so many frames that are not running."""
        mode = self._at_once, frames
        if mode not in self._free:
            encoder = self._open(*mode)
            self._free[mode] = [
                kept_in_children(encoder.create_infer_request()) for _ in range(self._at_once)
            ]
        return self._free[mode]
