"""Why two programs chose different tokens: the reference's own scores where they part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.parity.models import Features, Models

TIE = 1e-3
"""Logits that differ by less are as good as equal: sums in another order change them as much."""

EQUAL = "equal"
NEAR_TIE = "near tie"
UNEXPLAINED = "unexplained"
AFTER = "follows from the difference before it"

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One comparison: of a clip, a window, a word … ; ``detail`` says what differs."""

    recording: str
    cause: str
    detail: str = ""


def first_difference(ours: Sequence[int], theirs: Sequence[int]) -> int | None:
    """Where two sequences part; None: they are equal."""
    for at, (left, right) in enumerate(zip(ours, theirs, strict=False)):
        if left != right:
            return at
    return None if len(ours) == len(theirs) else min(len(ours), len(theirs))


@dataclass(frozen=True, slots=True, eq=False)
class TokenJudge:
    """Compares what two programs heard in the same window.

    ``features`` are the reference's, ``[mel bins, 3000]``; ``prompt`` is everything before the
    transcript.
    """

    models: Models
    features: Features
    prompt: Sequence[int]

    def outcome(self, name: str, ours: Sequence[int], theirs: Sequence[int]) -> Outcome:
        """Equal, a near tie or unexplained."""
        at = first_difference(ours, theirs)
        if at is None:
            return Outcome(name, EQUAL)
        end = self.models.checkpoint.tokens.eot
        left, right = ([*tokens, end][at] for tokens in (ours, theirs))
        gap = self._gap(ours[:at], left, right)
        told = f"token {at}: {self._told(left)} for {self._told(right)}, logits {gap:.1e} apart"
        return Outcome(name, NEAR_TIE if gap < TIE else UNEXPLAINED, told)

    def _gap(self, common: Sequence[int], left: int, right: int) -> float:
        """How far apart the reference's scores of two tokens are after the common ones."""
        logits = self.models.transformers.logits(self.features, [*self.prompt, *common])[-1]
        gap = abs(float(logits[left] - logits[right]))
        begin = self.models.checkpoint.tokens.timestamp_begin
        if (left >= begin) == (right >= begin):
            return gap
        times = [token for token in common if token >= begin]
        return min(gap, abs(timestamp_lead(logits, begin, times[-1] if times else begin)))

    def _told(self, token: int) -> str:
        tokens = self.models.checkpoint.tokens
        if token >= tokens.timestamp_begin:
            return f"<|{(token - tokens.timestamp_begin) * 0.02:.2f}|>"
        return "the end" if token == tokens.eot else repr(tokens.decode([token]))


def timestamp_lead(logits: Logits, begin: int, earliest: int) -> float:
    """By how much all timestamps together are more probable than any text, as logarithms.

    The rule of openai/whisper that makes a timestamp follow; text ends before ``begin``, and no
    timestamp before ``earliest`` may come.
    """
    times = logits[earliest:].astype(np.float64)
    together = float(times.max() + np.log(np.exp(times - times.max()).sum()))
    return together - float(logits[: begin - 1].max())
