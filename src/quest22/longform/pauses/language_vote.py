"""The language of a recording, by a vote of its windows.

A window of a few words, of music or of noise is often detected in a wrong language; the recording
it belongs to seldom is. Each window votes with the probabilities of its languages, weighted by its
duration. As in a single window, the fallback language is used if the winner is too improbable.
"""

from __future__ import annotations

from collections import defaultdict

from quest22.records import DetectionOptions, Hypothesis

FIRST_WINDOWS = 8
"""The first windows are judged by the votes of this many, about four minutes of speech."""

ROUNDING_S = 1e-3
"""Sums of votes are this exact."""


class LanguageVote:
    """The votes so far; a later window is judged by the votes of all windows up to it."""

    def __init__(self, detection: DetectionOptions) -> None:
        self._detection = detection
        self._votes: defaultdict[str, float] = defaultdict(float)
        self._duration_s = 0.0

    def add(self, hypothesis: Hypothesis, duration_s: float) -> None:
        """Add the next window's vote; one in no language, such as silence, has none."""
        if hypothesis.language is None:
            return
        detected = ((hypothesis.language, hypothesis.language_probability),)
        for language, probability in hypothesis.languages or detected:
            self._votes[language] += probability * duration_s
        self._duration_s += duration_s

    def is_settled(self, rest_s: float) -> bool:
        """Whether windows that last ``rest_s`` seconds in all cannot change the winner."""
        first, second = (*sorted(self._votes.values(), reverse=True), 0.0, 0.0)[:2]
        wins = first - second > rest_s + ROUNDING_S
        least = self._detection.threshold * (self._duration_s + rest_s)
        return wins and (self._detection.fallback is None or first > least + ROUNDING_S)

    @property
    def language(self) -> str | None:
        """The winner; None before the first vote, and for a checkpoint without languages."""
        winner = max(self._votes, key=lambda code: self._votes[code], default=None)
        least = self._detection.threshold * self._duration_s
        unsure = winner is not None and self._votes[winner] < least
        return (self._detection.fallback or winner) if unsure else winner
