"""Balances what the last layer's int8 weights have to hold: all inputs get the same range.

A row of weights is rounded with one scale, which its largest weight decides. The token embeddings
of Whisper have inputs whose weights are ten times as large as most others', which then have three
bits less. So weights are divided by the largest of their input, and the layer norm before them,
which has a weight for each, multiplies by it: products stay what they are. Inputs have 16 bits,
room enough. The idea is SmoothQuant's (Xiao et al. 2022, arXiv:2211.10438), the other way round.
"""

from __future__ import annotations

import numpy as np

from quest22.checkpoint.weights import Weights
from quest22.engine.native.weights import ROWS_AT_ONCE, Array, floats


def balance_of(weights: Weights, layer: str) -> Array:
    """The largest weight of each of a layer's inputs, ``[inputs]``; 1 where all are 0."""
    name = f"{layer}.weight"
    outputs, inputs = weights.shape(name)
    largest = np.zeros(inputs, np.float32)
    for start in range(0, outputs, ROWS_AT_ONCE):
        rows = floats(weights.rows(name, slice(start, start + ROWS_AT_ONCE)))
        np.maximum(largest, np.maximum(rows.max(0), -rows.min(0)), out=largest)
    return np.where(largest > 0, largest, np.float32(1))
