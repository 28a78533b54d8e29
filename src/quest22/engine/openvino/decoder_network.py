"""The decoder as a graph that runs step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.openvino.graph_layers import Array

_ELEMENTS = {np.dtype(np.uint16): ov.Type.bf16}
"""NumPy has no bfloat16; uint16 holds its bits."""


def tensors(views: Mapping[str, NDArray[Any]]) -> dict[str, ov.Tensor]:
    """Tensors that share the memory of views of a :class:`CrossKVCache`."""
    return {
        name: ov.Tensor(view, list(view.shape), _ELEMENTS.get(view.dtype, ov.Type(view.dtype)))
        for name, view in views.items()
    }


class GraphDecoderNetwork:
    """A :class:`quest22.engine.cpu_backend.DecoderNetwork` of the graph of ``build_decoder``."""

    def __init__(self, decoder: ov.CompiledModel, kv_element: str) -> None:
        self.kv_element = kv_element
        self._request = decoder.create_infer_request()
        self._cross_kv: CrossKVCache
        self._first = 0

    def begin(self, cross_kv: CrossKVCache, windows: slice, num_beams: int) -> None:
        self._request.reset_state()
        self._cross_kv, self._first = cross_kv, windows.start
        self._attend_to(windows)

    def select_windows(self, windows: Sequence[int]) -> None:
        first = self._first
        self._cross_kv.move([first + window for window in windows], first)
        self._attend_to(slice(first, first + len(windows)))

    def _attend_to(self, windows: slice) -> None:
        for name, tensor in tensors(self._cross_kv.views(windows)).items():
            self._request.set_tensor(name, tensor)

    def step(
        self,
        tokens: NDArray[np.int32],
        position: int,
        beams: NDArray[np.int32],
        logit_positions: list[int],
    ) -> Array:
        count = tokens.shape[1]
        inputs = {
            "tokens": tokens,
            "positions": np.arange(position, position + count, dtype=np.int32),
            "beams": beams,
            "mask": causal_mask(position, count, len(tokens)),
            "logit_positions": np.array(logit_positions, np.int32),
        }
        for name, values in inputs.items():
            self._request.set_tensor(name, ov.Tensor(values))
        self._request.infer()
        logits: Array = self._request.get_tensor("logits").data
        return logits


def causal_mask(position: int, count: int, rows: int) -> Array:
    """Minus infinity for later tokens, else 0: ``[rows, 1, count, position + count]``.

    Every row has its own, although all are the same: in bfloat16, OpenVINO's fused attention with
    a cache reads past the end of a mask that it has to broadcast over rows.
    """
    mask = np.triu(np.full((count, position + count), -np.inf, np.float32), position + 1)
    return np.tile(mask, (rows, 1, 1, 1))
