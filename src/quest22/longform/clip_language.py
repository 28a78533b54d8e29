"""The language of a clip by its first windows, for long forms that settle it as they go.

That of the first window which is sure of one. Music and noise before the first word are detected as
some language too, but seldom with an even chance.
"""

from __future__ import annotations

from quest22.records import DetectionOptions, Hypothesis

SURE = 0.5
"""A language that is at least as probable as all others together."""

MOST_WINDOWS = 8
"""Of so many windows that are not sure, the most probable language counts."""


class ClipLanguage:
    """Takes the hypothesis of each window whose language was detected, in order."""

    def __init__(self, detection: DetectionOptions) -> None:
        self._least = 0.0 if detection.fallback is not None else SURE
        self._unsure: list[Hypothesis] = []
        self.settled: Hypothesis | None = None
        """The one whose language is the clip's; None: not known yet."""

    def add(self, hypothesis: Hypothesis) -> None:
        """Add the next window; one in no language, such as silence, says nothing."""
        if self.settled is not None or hypothesis.language is None:
            return
        self._unsure.append(hypothesis)
        if hypothesis.language_probability >= self._least:
            self.settled = hypothesis
        elif len(self._unsure) == MOST_WINDOWS:
            self.settled = max(self._unsure, key=lambda each: each.language_probability)
