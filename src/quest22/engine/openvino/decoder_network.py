"""The decoder as a network that is run step by step: in machine code of our own, else a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from quest22.checkpoint.load import Checkpoint
from quest22.engine.decoder_session import DecoderNetwork
from quest22.engine.kv_cache import CrossKVCache
from quest22.engine.native.decoder_network import Formats, NativeDecoderNetwork
from quest22.engine.openvino.compiled_graphs import CompiledGraphs
from quest22.engine.openvino.decoder_graph import build_decoder
from quest22.engine.openvino.graph_layers import Array

_ELEMENTS = {np.dtype(np.uint16): ov.Type.bf16}
"""NumPy has no bfloat16: its bits stand for it."""


def tensors(views: Mapping[str, NDArray[Any]]) -> dict[str, ov.Tensor]:
    """Tensors over the memory of views of :class:`quest22.engine.kv_cache.CrossKVCache`."""
    return {
        name: ov.Tensor(view, list(view.shape), _ELEMENTS.get(view.dtype, ov.Type(view.dtype)))
        for name, view in views.items()
    }


def open_decoder_network(
    checkpoint: Checkpoint, graphs: CompiledGraphs, threads: int
) -> DecoderNetwork:
    """A checkpoint's decoder in the precision of its graphs.

    In machine code where a library is there and knows the format, else as a graph. Raises
    :class:`EngineError` where memory runs out or the graph cannot be compiled.
    """
    weights, dims, precision = checkpoint.weights, checkpoint.dimensions, graphs.compiler.precision
    element, int8 = precision.activations, precision.int8
    formats = Formats(element, int8, precision.int8_sound)
    return NativeDecoderNetwork.open(weights, dims, formats, threads) or GraphDecoderNetwork(
        graphs.open("decoder", lambda: build_decoder(weights, dims, element, int8)), element
    )


class GraphDecoderNetwork:
    """A DecoderNetwork of the graph that ``build_decoder`` makes."""

    def __init__(self, decoder: ov.CompiledModel, sound_element: str) -> None:
        self.sound_element = sound_element
        self._decoder = decoder.create_infer_request()
        self._states: CrossKVCache
        self._first = 0

    def begin(self, states: CrossKVCache, windows: slice, num_beams: int) -> None:
        self._decoder.reset_state()
        self._states, self._first = states, windows.start
        self._hear(windows)

    def keep(self, windows: Sequence[int]) -> None:
        first = self._first
        self._states.move([first + window for window in windows], first)
        self._hear(slice(first, first + len(windows)))

    def _hear(self, windows: slice) -> None:
        for name, tensor in tensors(self._states.views(windows)).items():
            self._decoder.set_tensor(name, tensor)

    def run(
        self, tokens: NDArray[np.int32], position: int, beams: NDArray[np.int32], reads: list[int]
    ) -> Array:
        count = tokens.shape[1]
        inputs = {
            "tokens": tokens,
            "positions": np.arange(position, position + count, dtype=np.int32),
            "beams": beams,
            "mask": causal_mask(position, count, len(tokens)),
            "reads": np.array(reads, np.int32),
        }
        for name, values in inputs.items():
            self._decoder.set_tensor(name, ov.Tensor(values))
        self._decoder.infer()
        logits: Array = self._decoder.get_tensor("logits").data
        return logits


def causal_mask(position: int, count: int, rows: int) -> Array:
    """Minus infinity ahead of each token, else 0: ``[rows, 1, count, position + count]``.

    One mask a row, though they are all alike: in bfloat16, OpenVINO's fused attention with a cache
    reads beyond a mask that is to be broadcast over several rows.
    """
    mask = np.triu(np.full((count, position + count), -np.inf, np.float32), position + 1)
    return np.tile(mask, (rows, 1, 1, 1))
