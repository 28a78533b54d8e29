"""Logits to log-probabilities and to the likeliest tokens, for a batch."""

from __future__ import annotations

from ctypes import CDLL

import numpy as np
from numpy.typing import NDArray

from quest22.decoding.logits_rules import Logits
from quest22.errors import EngineError
from quest22.native.arrays import address
from quest22.native.library import open_library

BLOCK = 256


def argmax(logits: Logits) -> tuple[list[int], list[float]]:
    """The best token of each row of ``[B, vocabulary]`` and its log-probability.

    Uses ``logits`` up: a batch of them is megabytes, too much to copy at every step. Raises
    :class:`EngineError` where a row has no finite best, or holds what is no number.
    """
    library = open_library()
    if library is not None and logits.strides[-1] == logits.itemsize:
        return _likeliest(library, logits)
    tokens = logits.argmax(axis=1)
    best = np.take_along_axis(logits, tokens[:, None], axis=1)
    check_finite(best)
    np.exp(np.subtract(logits, best, out=logits), out=logits)
    return tokens.tolist(), (-np.log(logits.sum(axis=1))).tolist()


def _likeliest(library: CDLL, logits: Logits) -> tuple[list[int], list[float]]:
    """The same in machine code, which reads the logits twice and writes none."""
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
    """Raise :class:`EngineError` where the best logit of a row is no number."""
    if not np.isfinite(best).all():
        raise EngineError(
            "the decoder gave logits that are not finite: the sound or the weights hold values "
            "out of range; try --compute-type float32"
        )


def log_normalizer(row: Logits) -> float:
    """What is taken from logits ``[vocabulary]`` to make them log-probabilities."""
    highest = row.max()
    check_finite(highest)
    return float(highest + np.log(np.exp(row - highest).sum()))


def top(row: Logits, count: int) -> NDArray[np.intp]:
    """The ``count`` likeliest tokens of ``[vocabulary]``, best first.

    Only blocks whose maxima are among the highest are looked into: a maximum costs far less than
    a partition of the whole.
    """
    whole = len(row) // BLOCK * BLOCK
    maxima = row[:whole].reshape(-1, BLOCK).max(axis=1)
    chosen = np.argsort(-maxima, kind="stable")[:count]
    inside = (chosen[:, None] * BLOCK + np.arange(BLOCK)).ravel()
    places = np.sort(np.concatenate([inside, np.arange(whole, len(row))]))
    return places[np.argsort(-row[places], kind="stable")[:count]]


def token_probability(logits: Logits, token: int) -> float:
    """The probability of ``token`` by a softmax over ``[vocabulary]``."""
    highest = logits.max()
    return float(np.exp(logits[token] - highest) / np.exp(logits - highest).sum())
