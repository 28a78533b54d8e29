"""Figures of a score: medians and 95th percentiles, error rates, drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from quest22.bench.live.score import Score, WordTimes

DRIFT_WORDS = 20
"""A drift is told if the first and the last quarter of the time have at least so many words."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Delays in seconds, counted from the end of a word in the sound; null if there are none."""

    count: int
    median_s: float | None
    p95_s: Annotated[float | None, "The 95th percentile."]

    @classmethod
    def of(cls, delays: Sequence[float]) -> Quantiles:
        if not delays:
            return cls(0, None, None)
        median, high = np.quantile(delays, (0.5, 0.95))
        return cls(len(delays), float(median), float(high))


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """Delays and errors of live text."""

    shown: Annotated[Quantiles, "Until a word is shown, to stay."]
    committed: Annotated[Quantiles, "Until it is committed."]
    final: Annotated[Quantiles, "From the end of an utterance to its final text."]
    found: Annotated[
        float | None, "The share of the words said that came out right; the delays are theirs."
    ]
    error_rate: Annotated[float | None, "A fraction; null if nobody speaks."]
    committed_error_rate: Annotated[
        float | None, "Of what was committed before its segment's end; null without any."
    ]
    insertions: Annotated[int, "Words that nobody said."]
    utterances: int
    lost_tails: Annotated[int, "Utterances whose last word did not come out."]
    withdrawn: Annotated[
        float | None, "Words that were shown and gone again, for each word that stayed."
    ]
    taken_back: Annotated[int, "Committed words that were gone again."]
    drift_s: Annotated[
        float | None,
        "How much longer words took to be committed in the last quarter of the time than in the "
        "first, by medians; null with too few words.",
    ]

    @classmethod
    def of(cls, score: Score) -> LiveSummary:
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
