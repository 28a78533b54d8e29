"""A batch inside the graphs: its sound as keys and values, its text as the decoder's state.

Knows buffers and inference requests; knows no tokens' meaning.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from quest22.checkpoint.config import Dimensions
from quest22.engine.openvino.layers import Array

_NUMPY_TYPE = {"f32": np.float32, "bf16": np.uint16, "f16": np.float16}


class CrossStates:
    """Room for the cross-attention keys and values of ``rows`` windows, layer by layer."""

    def __init__(self, dims: Dimensions, rows: int, element: str) -> None:
        heads, frames = dims.decoder_heads, dims.max_source_positions
        size = dims.d_model // heads
        self._element = getattr(ov.Type, element)
        self._buffers: dict[str, NDArray[np.generic]] = {}
        for layer in range(dims.decoder_layers):
            for name, shape in (("key", (frames, size)), ("value", (size, frames))):
                buffer = np.empty((rows, heads, *shape), _NUMPY_TYPE[element])
                self._buffers[f"cross_{name}_{layer}"] = buffer

    def tensors(self, rows: slice) -> dict[str, ov.Tensor]:
        """Tensors over the memory of some rows, by the names of the graphs' ports."""
        return {
            name: ov.Tensor(part := buffer[rows], list(part.shape), self._element)
            for name, buffer in self._buffers.items()
        }

    def copy(self, rows: Sequence[int]) -> CrossStates:
        """What some rows hold now, for later: row i of the copy is row ``rows[i]``."""
        kept = object.__new__(CrossStates)
        kept._element = self._element
        kept._buffers = {name: buffer[list(rows)] for name, buffer in self._buffers.items()}
        return kept

    def move(self, rows: Sequence[int], first: int = 0) -> None:
        """Row ``first + i`` becomes what row ``rows[i]`` was."""
        moves = {place: row for place, row in enumerate(rows, first) if place != row}
        if moves:
            for buffer in self._buffers.values():
                buffer[list(moves)] = buffer[list(moves.values())]


class GraphStepper:
    """Runs the decoder step by step, for one batch at a time whose sound is in ``states``."""

    def __init__(self, decoder: ov.CompiledModel, states: CrossStates) -> None:
        self._decoder = decoder.create_infer_request()
        self._states = states
        self._position = 0
        self._windows = slice(0, 0)
        self._width = 1
        self._beams = np.arange(0, dtype=np.int32)

    def copy(self, rows: Sequence[int]) -> CrossStates:
        """What was heard in some rows, which decoding will move about."""
        return self._states.copy(rows)

    def restart(self, windows: int, width: int = 1, first: int = 0) -> None:
        """Begin ``width`` new sequences for each of so many windows, from row ``first`` on."""
        self._decoder.reset_state()
        self._position = 0
        self._width = width
        self._hold(slice(first, first + windows))
        self._beams = np.arange(width * windows, dtype=np.int32)

    def keep(self, rows: Sequence[int]) -> None:
        """Row i of the next step continues row ``rows[i]`` of the last; others leave."""
        windows = [row // self._width for row in rows[:: self._width]]
        first = self._windows.start
        self._states.move([first + window for window in windows], first)
        if rows:
            self._hold(slice(first, first + len(windows)))
            self._beams = np.array(rows, np.int32)

    def step(self, tokens: NDArray[np.int32], reads: Sequence[int]) -> Array:
        """Feed ``tokens [B, T]``; give the logits after the places ``reads``: ``[B, N, V]``."""
        count = tokens.shape[1]
        inputs = {
            "tokens": tokens,
            "positions": np.arange(self._position, self._position + count, dtype=np.int32),
            "beams": self._beams,
            "mask": causal_mask(self._position, count, len(tokens)),
            "reads": np.array(reads, np.int32),
        }
        for name, values in inputs.items():
            self._decoder.set_tensor(name, ov.Tensor(values))
        self._decoder.infer()
        self._position += count
        self._beams = np.arange(len(tokens), dtype=np.int32)
        logits: Array = self._decoder.get_tensor("logits").data
        return logits

    def _hold(self, windows: slice) -> None:
        """Let the decoder hear the sound in some rows of the batch."""
        self._windows = windows
        for name, tensor in self._states.tensors(windows).items():
            self._decoder.set_tensor(name, tensor)


def causal_mask(position: int, count: int, rows: int) -> Array:
    """Minus infinity ahead of each token, else 0: ``[rows, 1, count, position + count]``.

    One mask a row, though they are all alike: in bfloat16, OpenVINO's fused attention with a cache
    reads beyond a mask that is to be broadcast over several rows.
    """
    mask = np.triu(np.full((count, position + count), -np.inf, np.float32), position + 1)
    return np.tile(mask, (rows, 1, 1, 1))
