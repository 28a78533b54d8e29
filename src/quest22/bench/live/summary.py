"""Figures of a score: medians and 95th percentiles, error rates, drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quest22.bench.live.score import Score, WordTimes

DRIFT_WORDS = 20
"""A drift is told if the first and the last quarter of the time have at least so many words."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of ``count`` delays in seconds; None if there are none."""

    count: int
    median_s: float | None
    p95_s: float | None

    @classmethod
    def of(cls, delays: Sequence[float]) -> Quantiles:
        if not delays:
            return cls(0, None, None)
        median, high = np.quantile(delays, (0.5, 0.95))
        return cls(len(delays), float(median), float(high))


@dataclass(frozen=True, slots=True)
class Summary:
    """What is reported of a score; the field names are those of ``--json``.

    ``found`` is the share of the words that were said and came out right, of which the delays are.
    ``drift_s`` is how much longer words took to be committed in the last quarter of the time than
    in the first, by medians. ``withdrawn`` is the number of words shown and gone again, for each
    word that stayed.
    """

    shown: Quantiles
    committed: Quantiles
    final: Quantiles
    found: float | None
    error_rate: float | None
    committed_error_rate: float | None
    insertions: int
    utterances: int
    lost_tails: int
    withdrawn: float | None
    taken_back: int
    drift_s: float | None

    @classmethod
    def of(cls, score: Score) -> Summary:
        words, errors = score.words, score.errors
        stayed = errors.hits + errors.substitutions + errors.insertions
        return cls(
            shown=Quantiles.of([each.shown_s - each.end_s for each in words]),
            committed=Quantiles.of(_delays(words)),
            final=Quantiles.of([each.final_s - each.end_s for each in score.ends]),
            found=len(words) / score.said if score.said else None,
            error_rate=errors.rate,
            committed_error_rate=score.committed_errors.rate,
            insertions=errors.insertions,
            utterances=score.utterances,
            lost_tails=len(score.lost_tails),
            withdrawn=score.withdrawn / stayed if stayed else None,
            taken_back=score.taken_back,
            drift_s=drift_s(words),
        )


def drift_s(words: Sequence[WordTimes]) -> float | None:
    """How much later words were committed in the last quarter of the time; None if too few."""
    if not words:
        return None
    begin, end = min(each.end_s for each in words), max(each.end_s for each in words)
    quarter_s = (end - begin) / 4
    first = _delays([each for each in words if each.end_s <= begin + quarter_s])
    last = _delays([each for each in words if each.end_s >= end - quarter_s])
    if min(len(first), len(last)) < DRIFT_WORDS:
        return None
    return float(np.median(last) - np.median(first))


def _delays(words: Sequence[WordTimes]) -> list[float]:
    return [each.committed_s - each.end_s for each in words]
