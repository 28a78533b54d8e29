"""A batch's cross-attention keys and values, which the encoder writes and the decoder reads.

The self-attention cache belongs to the decoder: it lives in the native library (``native/csrc``)
or in the state of the OpenVINO graph (:mod:`quest22.engine.openvino.decoder`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.config import Dimensions

_NUMPY_TYPE = {"f32": np.float32, "bf16": np.uint16, "f16": np.float16, "i8": np.int8}

_NAMES = ("cross_key", "cross_value", "cross_key_scale", "cross_value_scale")


class CrossKVCache:
    """Memory for the cross-attention keys and values of ``rows`` windows, layer by layer.

    ``element`` is ``f32``, ``bf16`` (as bits in uint16), ``f16`` or ``i8``. Keys are ``[rows,
    heads, 1500, size]``, values transposed, ``[rows, heads, size, 1500]``: a decoding step thus
    consists of matrix products that read memory in order. In ``i8``, each number of a head has a
    float32 scale over all frames: ``[rows, heads, 1, size]`` for keys, ``[rows, heads, size, 1]``
    for values.

    A window with a shorter audio context fills the first numbers of its row: keys ``[heads, frames,
    size]``, values ``[heads, size, frames]``. ``frames [rows]`` counts them.

    Window i of a batch is encoded into row i. Nothing of a batch is ever overwritten: where a
    decoder needs its windows in adjacent rows, rows are exchanged.
    """

    def __init__(self, dims: Dimensions, rows: int, element: str) -> None:
        heads, frames = dims.decoder_heads, dims.max_source_positions
        size = dims.d_model // heads
        self.element = element
        self.layers = dims.decoder_layers
        self.rows = rows
        self.max_frames = frames
        self.frames = np.full(rows, frames, np.int32)
        self._row_of = list(range(rows))
        self._buffers: dict[str, NDArray[np.generic]] = {}
        for layer in range(dims.decoder_layers):
            for name, shape in (("key", (frames, size)), ("value", (size, frames))):
                buffer = np.empty((rows, heads, *shape), _NUMPY_TYPE[element])
                self._buffers[f"cross_{name}_{layer}"] = buffer
            for name, shape in (("key", (1, size)), ("value", (size, 1))):
                if element == "i8":
                    scales = np.empty((rows, heads, *shape), np.float32)
                    self._buffers[f"cross_{name}_scale_{layer}"] = scales

    def part(self, layers: range) -> CrossKVCache:
        """Some layers alone, as those of one decoder of several that read the same sound.

        Memory and ``frames`` are shared; each part brings windows together by itself.
        """
        part = copy(self)
        part.layers = len(layers)
        part._row_of = list(self._row_of)
        part._buffers = {
            f"{name}_{place}": self._buffers[f"{name}_{layer}"]
            for place, layer in enumerate(layers)
            for name in _NAMES
            if f"{name}_{layer}" in self._buffers
        }
        return part

    def views(self, rows: slice) -> dict[str, NDArray[np.generic]]:
        """The memory of some rows: ``cross_key_i`` and ``cross_value_i`` of each layer i.

        In ``i8``, ``cross_key_scale_i`` and ``cross_value_scale_i`` too.
        """
        return {name: buffer[rows] for name, buffer in self._buffers.items()}

    def open_row(self, row: int, frames: int) -> dict[str, NDArray[np.generic]]:
        """The memory of a row that holds so many frames from now on, as :meth:`views` names it."""
        self.frames[row] = frames
        return self.row_views(row)

    def row_views(self, row: int) -> dict[str, NDArray[np.generic]]:
        """What a row holds, as :meth:`views` names it; keys are ``[1, heads, frames, size]``."""
        frames = int(self.frames[row])
        return {
            name: _first_frames(name, buffer[row], frames) for name, buffer in self._buffers.items()
        }

    def begin_batch(self) -> None:
        """Window i is in row i again."""
        self._row_of = list(range(self.rows))

    def rows_of(self, windows: Iterable[int]) -> list[int]:
        """The rows in which windows are now."""
        return [self._row_of[window] for window in windows]

    def bring_together(self, windows: Sequence[int]) -> slice:
        """Exchange rows until these windows are in adjacent ones, in this order; return the rows.

        The first row is that of the foremost window, so that few rows move when windows leave.
        """
        first = min(self.rows_of(windows), default=0)
        for row, window in enumerate(windows, first):
            self._exchange(self._row_of[window], row)
        return slice(first, first + len(windows))

    def _exchange(self, row: int, other: int) -> None:
        if row == other:
            return
        for buffer in self._buffers.values():
            kept = buffer[row].copy()
            buffer[row], buffer[other] = buffer[other], kept
        self.frames[[row, other]] = self.frames[[other, row]]
        window, another = self._row_of.index(row), self._row_of.index(other)
        self._row_of[window], self._row_of[another] = other, row


def _first_frames(name: str, row: NDArray[np.generic], frames: int) -> NDArray[np.generic]:
    """The first numbers of a row, as keys or values of so many frames: ``[1, heads, …]``."""
    if "scale" in name:
        return row[None]
    heads, *last = row.shape
    last[name.startswith("cross_value")] = frames
    return row.reshape(-1)[: heads * math.prod(last)].reshape(1, heads, *last)
