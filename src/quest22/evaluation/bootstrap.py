"""How far an error rate can be trusted: intervals by resampling clips. Knows counts only.

The percentile bootstrap of Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR
performance evaluation" (ICASSP 2004): the clips are drawn again with replacement many times, and
the rate is taken of each draw. Clips are drawn, not words, because the errors of one clip hang
together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quest22.errors import UsageError

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How often to draw, how sure to be, and where the random numbers start. 0 draws: never."""

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 0:
            raise UsageError(f"--bootstrap is {self.resamples}: expected a number of resamples, 0…")
        if not 0 < self.confidence < 1:
            raise UsageError(f"--confidence is {self.confidence}: expected a share such as 0.95")
        if self.seed < 0:
            raise UsageError(f"--bootstrap-seed is {self.seed}: expected 0 or more")

    def interval(self, errors: Counts, totals: Counts) -> tuple[float, float] | None:
        """Bounds of ``sum(errors) / sum(totals)``; both are one count a clip, ``[clips]``.

        None for fewer than two clips or without any reference; a draw of clips without reference
        words does not count.
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
