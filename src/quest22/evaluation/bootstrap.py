"""Confidence intervals of error rates by resampling clips. Knows counts only.

The percentile bootstrap of Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR
performance evaluation" (ICASSP 2004): clips are drawn with replacement many times, and each draw
gives a rate. Clips are drawn instead of words because the errors within a clip are correlated.
"""

from __future__ import annotations

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
        clips = len(errors)
        if clips < 2 or not self.resamples or not totals.sum():
            return None
        random = np.random.default_rng(self.seed)
        rates = []
        for _ in range(self.resamples):
            drawn = random.integers(clips, size=clips)
            total = totals[drawn].sum()
            if total:
                rates.append(errors[drawn].sum() / total)
        if not rates:
            return None
        outside = (1 - self.confidence) / 2
        low, high = np.quantile(rates, (outside, 1 - outside))
        return float(low), float(high)
