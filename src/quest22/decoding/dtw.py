"""Dynamic time warping: the cheapest path through a grid of tokens and frames.

A path starts at the first token and frame, ends at the last of both, and advances by one token, one
frame, or both. Ties are broken as in openai/whisper (``dtw_cpu`` in ``timing.py``): a step from the
previous token is taken only if it is strictly the cheapest, and so is a diagonal step. Sums are
float64 as there, so that near ties come out the same.

In the native library it goes cell by cell. Without, the cells of an anti-diagonal, which do not
depend on one another, are one operation of NumPy, for all grids of a batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import CDLL

import numpy as np
from numpy.typing import NDArray

from quest22.native.library import open_library

Grid = NDArray[np.float32]
_Steps = NDArray[np.int8]
_DIAGONAL, _NEXT_TOKEN, _NEXT_FRAME = 0, 1, 2


def first_frames(costs: Sequence[Grid]) -> list[NDArray[np.int64]]:
    """The frame at which the cheapest path reaches each token, for every grid.

    ``costs`` are float32 ``[tokens, frames]`` of any sizes, both at least 1. The results are
    ``[tokens]``, start at 0 and never decrease.
    """
    library = open_library()
    if library is not None:
        return [_native_first_frames(library, cost) for cost in costs]
    return _first_frames(costs)


def _native_first_frames(library: CDLL, cost: Grid) -> NDArray[np.int64]:
    whole, first = np.ascontiguousarray(cost, np.float32), np.empty(len(cost), np.int64)
    library.quest22_first_frames(whole.ctypes.data, *whole.shape, first.ctypes.data)
    return first


def _first_frames(costs: Sequence[Grid]) -> list[NDArray[np.int64]]:
    if not costs:
        return []
    steps = _steps(_skewed(costs))
    return [_trace(steps[:, each], *cost.shape) for each, cost in enumerate(costs)]


def _skewed(costs: Sequence[Grid]) -> Grid:
    """Grids by anti-diagonals, ``[tokens + frames - 1, grids, tokens]``, with zeros around."""
    rows, columns = (max(sizes) for sizes in zip(*(cost.shape for cost in costs), strict=True))
    skewed = np.zeros((rows + columns - 1, len(costs), rows), np.float32)
    for each, cost in enumerate(costs):
        for row, values in enumerate(cost):
            skewed[row : row + len(values), each, row] = values
    return skewed


def _steps(skewed: Grid) -> _Steps:
    """The best step into each cell, laid out like ``skewed``.

    Sums have one more token at the front, which no path can pass.
    """
    diagonals, grids, rows = skewed.shape
    columns = diagonals - rows + 1
    steps = np.full(skewed.shape, _NEXT_FRAME, np.int8)
    before, last = (np.full((grids, rows + 1), np.inf) for _ in range(2))
    before[:, 0] = 0.0
    for at in range(diagonals):
        low, high = max(0, at - columns + 1), min(rows, at + 1)
        both, token, frame = before[:, low:high], last[:, low:high], last[:, low + 1 : high + 1]
        by_both = (both < token) & (both < frame)
        by_token = (token < both) & (token < frame)
        steps[at, :, low:high][by_both] = _DIAGONAL
        steps[at, :, low:high][by_token] = _NEXT_TOKEN
        cheapest = np.where(by_both, both, np.where(by_token, token, frame))
        fresh = np.full_like(last, np.inf)
        np.add(skewed[at, :, low:high], cheapest, out=fresh[:, low + 1 : high + 1])
        before, last = last, fresh
    return steps


def _trace(steps: _Steps, rows: int, columns: int) -> NDArray[np.int64]:
    """Follow ``steps [diagonals, tokens]`` back from the last token and frame."""
    starts = np.zeros(rows, np.int64)
    row, column = rows - 1, columns - 1
    while row or column:
        step = steps[row + column, row]
        if step != _NEXT_TOKEN:
            column -= 1
        if step != _NEXT_FRAME:
            starts[row] = column + (step == _DIAGONAL)
            row -= 1
    return starts
