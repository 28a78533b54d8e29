"""Logits to log-probabilities, and the most probable tokens of a batch.

All arrays are float32 unless they say otherwise. A row of logits covers the whole vocabulary.
"""

from __future__ import annotations

from ctypes import CDLL
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.errors import EngineError
from quest22.native.library import address, open_library

Logits = NDArray[np.float32]

BLOCK = 256


def argmax(logits: Logits) -> tuple[list[int], list[float]]:
    """The best token of each row of ``[B, vocabulary]`` and its log-probability.

    Overwrites ``logits``: a batch of them is megabytes, too much to copy at every step. Raises
    :class:`EngineError` if the best logit of a row is not finite.
    """
    library = open_library()
    if library is not None and logits.strides[-1] == logits.itemsize:
        return _native_argmax(library, logits)
    tokens = logits.argmax(axis=1)
    best = np.take_along_axis(logits, tokens[:, None], axis=1)
    check_finite(best)
    # Not log_sum_exp: this one works in place, and the best token's own logarithm cancels out.
    np.exp(np.subtract(logits, best, out=logits), out=logits)
    return tokens.tolist(), (-np.log(logits.sum(axis=1))).tolist()


def _native_argmax(library: CDLL, logits: Logits) -> tuple[list[int], list[float]]:
    """The same in C, which reads the logits twice and writes none."""
    tokens = np.empty(len(logits), np.int32)
    logprobs = np.empty(len(logits), np.float32)
    rows, vocabulary = logits.shape
    address(logits[:1], np.float32, (min(rows, 1), vocabulary))
    outputs = tokens.ctypes.data, logprobs.ctypes.data
    stride = logits.strides[0] // logits.itemsize
    library.quest22_argmax(logits.ctypes.data, rows, stride, vocabulary, *outputs)
    check_finite(logprobs)
    return tokens.tolist(), logprobs.tolist()


def check_finite(best: Logits) -> None:
    """Raise :class:`EngineError` if the best logit of a row is not finite."""
    if not np.isfinite(best).all():
        raise EngineError(
            "the decoder gave logits that are not finite: the sound or the weights hold values "
            "out of range; try --compute-type float32"
        )


def log_sum_exp(values: Logits, highest: Logits) -> Logits:
    """``log(sum(exp(values)))`` over the last axis: ``[..., n]`` to ``[...]``.

    ``highest`` is the maximum over that axis, ``[...]``. It must be finite: if all values are minus
    infinity, any finite number will do.
    """
    total: Logits = highest + np.log(np.exp(values - highest[..., None]).sum(axis=-1))
    return total


def softmax(scores: NDArray[Any]) -> NDArray[Any]:
    """Probabilities over the last axis, which may be empty; keeps the precision of ``scores``."""
    shares: NDArray[Any] = np.exp(scores - scores.max(axis=-1, keepdims=True, initial=-np.inf))
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares


def log_normalizer(row: Logits) -> float:
    """What to subtract from logits ``[vocabulary]`` to make them log-probabilities.

    Raises :class:`EngineError` if the best of them is not finite.
    """
    highest = row.max()
    check_finite(highest)
    return float(log_sum_exp(row, highest))


def top(row: Logits, count: int) -> NDArray[np.intp]:
    """The ``count`` most probable tokens of ``[vocabulary]``, best first.

    Only blocks whose maxima are among the highest are searched: a maximum costs far less than a
    partition of the whole row.
    """
    whole = len(row) // BLOCK * BLOCK
    maxima = row[:whole].reshape(-1, BLOCK).max(axis=1)
    blocks = np.argsort(-maxima, kind="stable")[:count]
    inside = (blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel()
    tokens = np.sort(np.concatenate([inside, np.arange(whole, len(row))]))
    return tokens[np.argsort(-row[tokens], kind="stable")[:count]]


def token_probability(logits: Logits, token: int) -> float:
    """The probability of ``token`` by a softmax over ``[vocabulary]``."""
    highest = logits.max()
    # Not softmax: one division instead of one for every token of the vocabulary.
    return float(np.exp(logits[token] - highest) / np.exp(logits - highest).sum())
