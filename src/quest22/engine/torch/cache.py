"""The memory of a batch on the device: keys and values of the sound and of the tokens so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from quest22.checkpoint.config import Dimensions
from quest22.engine.torch.cross_attention import CrossKV, quantize
from quest22.engine.torch.device import Placement

Rows: TypeAlias = "slice | Tensor"
"""Rows of a cache: adjacent ones, which are not copied, or any, by an int64 tensor."""

KEYS, VALUES = 0, 1


class CrossKVPool:
    """Cross-attention keys and values of ``rows`` windows.

    ``memory`` is ``[layers, 2, rows, heads, 1500, size]``; in int8 if the placement says so, with
    ``scales [layers, 2, rows, heads, size]``. A window has a number below ``rows`` from
    :meth:`take` to :meth:`release`, and a row that may change. Where windows are needed in adjacent
    rows, rows are exchanged: that costs as much as two decoding steps of one window, and every step
    then reads memory as it lies.
    """

    def __init__(self, dims: Dimensions, rows: int, placement: Placement) -> None:
        heads, frames = dims.decoder_heads, dims.max_source_positions
        shape = (dims.decoder_layers, 2, rows, heads, frames, dims.d_model // heads)
        dtype, device = torch.int8 if placement.int8_kv else placement.dtype, placement.device
        self.memory = torch.zeros(shape, dtype=dtype, device=device)
        self.scales: Tensor | None = None
        if placement.int8_kv:
            self.scales = torch.zeros((*shape[:4], shape[5]), device=device)
        self.rows = rows
        self.begin_batch()

    def begin_batch(self) -> None:
        """All rows are free; window i is in row i again."""
        self._row_of = list(range(self.rows))
        self._free = list(range(self.rows))

    @property
    def room(self) -> int:
        """How many windows may still be taken."""
        return len(self._free)

    def take(self, count: int) -> list[int]:
        """Numbers for so many windows, the lowest that are free; there must be room."""
        taken, self._free = self._free[:count], self._free[count:]
        return taken

    def release(self, windows: Sequence[int]) -> None:
        """Their sound is not needed any more."""
        self._free = sorted([*self._free, *windows])

    def write(self, layer: int, rows: Rows, key: Tensor, value: Tensor) -> None:
        """Put a layer's keys and values ``[B, heads, 1500, size]`` into rows."""
        for part, each in zip((KEYS, VALUES), (key, value), strict=True):
            if self.scales is None:
                self.memory[layer, part, rows] = each
            else:
                self.memory[layer, part, rows], self.scales[layer, part, rows] = quantize(each)

    def read(self, layer: int, rows: Rows) -> CrossKV:
        """A layer's keys and values of some rows."""
        key, value = self.memory[layer][:, rows]
        if self.scales is None:
            return CrossKV(key, value)
        return CrossKV(key, value, *self.scales[layer][:, rows])

    def rows_of(self, windows: Sequence[int]) -> list[int]:
        """The rows in which windows are now."""
        return [self._row_of[window] for window in windows]

    def places(self, windows: Sequence[int]) -> Rows:
        """The same, to write to."""
        rows = self.rows_of(windows)
        if rows == list(range(rows[0], rows[0] + len(rows))):
            return slice(rows[0], rows[0] + len(rows))
        return torch.tensor(rows, device=self.memory.device)

    def put(self, window: int, row: int) -> None:
        """Exchange rows so that a window is in this one."""
        other = self._row_of[window]
        if row == other:
            return
        pair = torch.tensor([row, other], device=self.memory.device)
        for each in (self.memory, self.scales):
            if each is not None:
                each[:, :, pair] = each[:, :, pair.flip(0)]
        displaced = self._row_of.index(row)
        self._row_of[window], self._row_of[displaced] = row, other

    def arrange(self, windows: Sequence[int], first: int = 0) -> None:
        """Bring windows into adjacent rows from ``first`` on, in this order."""
        for row, window in enumerate(windows, first):
            self.put(window, row)

    def adjacent(self, windows: Sequence[int]) -> slice:
        """The rows of windows that wait, brought together in the last rows if they are scattered.

        So none of the first rows moves, from which others are decoded.
        """
        rows = self.rows_of(windows)
        first = rows[0]
        if rows != list(range(first, first + len(rows))):
            first = self.rows - len(rows)
            self.arrange(windows, first)
        return slice(first, first + len(rows))


class SelfKVCache:
    """Keys and values of the tokens of ``rows`` sequences, for all positions of the model.

    ``memory`` is ``[layers, 2, rows, heads, positions, size]``; it has more rows where one window's
    sequences are more. ``rows`` stays what it is, so that batches are divided as before. What lies
    at a position that a sequence has not reached is not read.
    """

    def __init__(self, dims: Dimensions, rows: int, placement: Placement) -> None:
        self.positions = dims.max_target_positions
        self.rows = rows
        self._dims = dims
        self._placement = placement
        self._allocate(rows)

    def windows(self, num_beams: int) -> int:
        """How many windows of so many sequences there is room for; room for one is made."""
        if num_beams > len(self.numbers):
            self._allocate(num_beams)
        return max(1, self.rows // num_beams)

    def _allocate(self, rows: int) -> None:
        dims, placement = self._dims, self._placement
        heads = dims.decoder_heads
        shape = (dims.decoder_layers, 2, rows, heads, self.positions, dims.d_model // heads)
        self.memory = torch.zeros(shape, dtype=placement.dtype, device=placement.device)
        self.numbers = torch.arange(rows, device=placement.device)

    def continue_from(self, rows: Sequence[int], length: int) -> None:
        """Row i becomes a copy of row ``rows[i]``, up to ``length`` positions."""
        moved = [(row, source) for row, source in enumerate(rows) if row != source]
        if not moved:
            return
        targets, sources = torch.tensor(moved, device=self.memory.device).unbind(1)
        known = self.memory[:, :, :, :, :length]
        known[:, :, targets] = known[:, :, sources]
