"""A median filter of width 7, in a handful of passes over the array.

Extremes are discarded step by step: among any five of seven values, neither the least nor the
greatest is the median of all. Both go, another value joins, and so on until one is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

WIDTH = 7
SIDE = WIDTH // 2
_BLOCK_ROWS = 8
"""Rows filtered at a time: few enough for the processor's cache, which is ten times as fast."""


def median_filter(rows: Values) -> Values:
    """The median around each value of ``[rows, columns]`` along its row, mirrored at the ends.

    Rows of three columns or fewer are too short to mirror and stay as they are, as in
    openai/whisper (``median_filter`` in ``timing.py``).
    """
    if rows.shape[1] <= SIDE:
        return rows
    padded = np.pad(rows, ((0, 0), (SIDE, SIDE)), mode="reflect")
    smooth = np.empty_like(rows)
    for at in range(0, len(rows), _BLOCK_ROWS):
        block = slice(at, at + _BLOCK_ROWS)
        smooth[block] = _median(padded[block])
    return smooth


def _median(padded: Values) -> Values:
    columns = padded.shape[1] - 2 * SIDE
    neighbours = [padded[:, at : at + columns].copy() for at in range(WIDTH)]
    spare = np.empty_like(neighbours[0])
    values, remaining = neighbours[: SIDE + 2], neighbours[SIDE + 2 :]
    while True:
        spare = _sort_extremes(values, spare)
        values = values[1:-1]
        if not remaining:
            return values[0]
        values.append(remaining.pop())


def _sort_extremes(values: list[Values], spare: Values) -> Values:
    """Move the least to the front and the greatest to the back; give the new spare array."""
    for at in range(1, len(values)):
        spare = _sort_pair(values, 0, at, spare)
    for at in range(1, len(values) - 1):
        spare = _sort_pair(values, at, -1, spare)
    return spare


def _sort_pair(values: list[Values], low: int, high: int, spare: Values) -> Values:
    np.minimum(values[low], values[high], out=spare)
    np.maximum(values[low], values[high], out=values[high])
    values[low], spare = spare, values[low]
    return spare
