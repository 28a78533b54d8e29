"""Confidence intervals of error rates by resampling clips. Knows counts only.

The percentile bootstrap of Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR
performance evaluation" (ICASSP 2004): clips are drawn with replacement many times, and each draw
gives a rate. Clips are drawn instead of words because the errors within a clip are correlated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quest22.errors import UsageError

ClipCounts = NDArray[np.int64]
"""One count for each clip."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Number of resamples (0: no intervals), confidence level, and seed."""

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 0:
            raise UsageError(f"--bootstrap is {self.resamples}: expected 0 or more resamples")
        if not 0 < self.confidence < 1:
            raise UsageError(
                f"--confidence is {self.confidence}: expected a share between 0 and 1, such as 0.95"
            )
        if self.seed < 0:
            raise UsageError(f"--bootstrap-seed is {self.seed}: expected 0 or more")

    def interval(self, errors: ClipCounts, totals: ClipCounts) -> tuple[float, float] | None:
        """Bounds of ``sum(errors) / sum(totals)``; both hold one count for each clip, ``[clips]``.

        None for fewer than two clips, or if no reference has words. Draws without any reference
        words are ignored.
        """

        def rate(drawn: ClipCounts) -> float | None:
            total = totals[drawn].sum()
            return errors[drawn].sum() / total if total else None

        return self.bounds(len(errors), rate) if totals.sum() else None

    def bounds(
        self, clips: int, statistic: Callable[[ClipCounts], float | None]
    ) -> tuple[float, float] | None:
        """Bounds of what ``statistic`` gives for the numbers of drawn clips, ``[clips]``.

        None for fewer than two clips. Draws without a statistic, for which it gives None, are
        ignored; None, too, if there are no others.
        """
        if clips < 2:
            return None
        random = np.random.default_rng(self.seed)
        drawings = (statistic(random.integers(clips, size=clips)) for _ in range(self.resamples))
        found = [each for each in drawings if each is not None]
        if not found:
            return None
        outside = (1 - self.confidence) / 2
        low, high = np.quantile(found, (outside, 1 - outside))
        return float(low), float(high)
