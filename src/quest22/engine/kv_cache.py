"""What a batch's windows sound like to the decoder: cross-attention keys and values in memory.

Knows buffers; knows neither graphs nor what fills or reads them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.config import Dimensions

_NUMPY_TYPE = {"f32": np.float32, "bf16": np.uint16, "f16": np.float16, "i8": np.int8}


class CrossKVCache:
    """Room for the cross-attention keys and values of ``rows`` windows, layer by layer.

    ``element`` is ``f32``, ``bf16`` (as bits in uint16), ``f16`` or ``i8``. Keys are ``[rows,
    heads, 1500, size]``, values transposed, ``[rows, heads, size, 1500]``: all that a step does
    with them are products with what lies in memory in order. In ``i8``, each of a head's numbers
    has a scale over all frames: keys ``[rows, heads, 1, size]``, values ``[rows, heads, size, 1]``.
    """

    def __init__(self, dims: Dimensions, rows: int, element: str) -> None:
        heads, frames = dims.decoder_heads, dims.max_source_positions
        size = dims.d_model // heads
        self.element = element
        self.rows = rows
        self._buffers: dict[str, NDArray[np.generic]] = {}
        for layer in range(dims.decoder_layers):
            for name, shape in (("key", (frames, size)), ("value", (size, frames))):
                buffer = np.empty((rows, heads, *shape), _NUMPY_TYPE[element])
                self._buffers[f"cross_{name}_{layer}"] = buffer
            for name, shape in (("key", (1, size)), ("value", (size, 1))):
                if element == "i8":
                    scales = np.empty((rows, heads, *shape), np.float32)
                    self._buffers[f"cross_{name}_scale_{layer}"] = scales

    def views(self, rows: slice) -> dict[str, NDArray[np.generic]]:
        """The memory of some rows: ``cross_key_i`` and ``cross_value_i`` of each layer i.

        In ``i8``, ``cross_key_scale_i`` and ``cross_value_scale_i`` too.
        """
        return {name: buffer[rows] for name, buffer in self._buffers.items()}

    def copy(self, rows: Sequence[int]) -> CrossKVCache:
        """What some rows hold now, for later: row i of the copy is row ``rows[i]``."""
        kept = object.__new__(CrossKVCache)
        kept.element, kept.rows = self.element, len(rows)
        kept._buffers = {name: buffer[list(rows)] for name, buffer in self._buffers.items()}
        return kept

    def move(self, rows: Sequence[int], first: int = 0) -> None:
        """Row ``first + i`` becomes what row ``rows[i]`` was."""
        moves = {place: row for place, row in enumerate(rows, first) if place != row}
        if moves:
            for buffer in self._buffers.values():
                buffer[list(moves)] = buffer[list(moves.values())]
