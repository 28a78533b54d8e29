"""Where in the sound each text token lies, from how the decoder attended to it.

Works on NumPy arrays; knows nothing of models, words or clips. The method is openai/whisper's
(``find_alignment`` in ``timing.py``): the attention of a few heads that follow the speech is
normalised, smoothed and averaged, and a path is laid through it by dynamic time warping.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quest22.decoding.dtw import Grid, first_frames
from quest22.decoding.median_filter import median_filter
from quest22.records import Alignment

FRAMES_PER_S = 50
"""The encoder's frames last 20 ms: two of the features."""

Scores = NDArray[np.float32]


def path_cost(scores: Scores, text: slice) -> Grid:
    """What it costs to be at a frame with a token: ``[tokens of text, frames]``.

    ``scores`` are products of queries and keys before the softmax, ``[heads, tokens, frames]``,
    of a decoder that was fed all tokens up to the end of text, over the frames that hold sound.
    ``text`` picks those fed before each token of the text and before its end.
    """
    total = np.zeros(scores[0, text].shape, np.float32)
    for head in scores:
        total -= median_filter(normalised(softmax(head))[text])
    return total / np.float32(len(scores))


def align(costs: Sequence[Grid], probabilities: Sequence[NDArray[np.float32]]) -> list[Alignment]:
    """The times of each text's tokens, all texts at once.

    ``costs`` are ``[tokens + 1, frames]``, ``probabilities`` the tokens', ``[tokens]``. Where
    there is not a single frame all happens at time 0.
    """
    paths = iter(first_frames([cost for cost in costs if cost.shape[1]]))
    frames = [next(paths) if cost.shape[1] else np.zeros(len(cost), np.int64) for cost in costs]
    return [
        Alignment(tuple((bounds / FRAMES_PER_S).tolist()), tuple(shares.tolist()))
        for bounds, shares in zip(frames, probabilities, strict=True)
    ]


def softmax(scores: Scores) -> Scores:
    """Over the last axis, which may be empty."""
    shares: Scores = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-np.inf))
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares


def normalised(weights: Scores) -> Scores:
    """Each frame's weights with mean 0 and deviation 1 over the tokens, ``[tokens, frames]``."""
    centred: Scores = weights - weights.mean(axis=0)
    deviation = np.sqrt(np.square(centred).mean(axis=0))
    # A frame that no token looked at says nothing.
    np.divide(centred, deviation, out=centred, where=deviation > 0)
    return centred
