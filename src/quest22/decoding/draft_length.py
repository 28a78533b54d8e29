"""How many tokens a draft model guesses before the model checks them: as many as pay.

A guess costs a step of the draft and a position more in the model's pass. It saves a step of the
model if it is right, which the draft's own probabilities predict, corrected by how often they were
right before. What steps cost is fixed when a model is loaded; all else is counted. So the same
batch is decoded in the same way each time, whatever else the machine does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_GUESSES = 8
MAX_CHECKED = 256
"""Positions that are checked in one pass, of all rows together: the logits of each take 200 kB."""

_PRIOR = 8.0
"""Guesses that are taken to have been as right as they were probable before any were counted."""


@dataclass(frozen=True, slots=True)
class StepCosts:
    """What a guess costs beside a step of the model, for some numbers of rows in rising order.

    ``drafts`` are steps of the draft model, ``checks`` what another token adds to the model's pass.
    """

    rows: tuple[int, ...]
    drafts: tuple[float, ...]
    checks: tuple[float, ...]

    def share(self, rows: int) -> float:
        """The share of rows for which a guess must be right to pay; over 1, it never does."""
        shares = np.add(self.drafts, self.checks)
        return float(np.interp(rows, self.rows, shares))

    @property
    def ever_pays(self) -> bool:
        """Whether guesses that are all right pay for some number of rows."""
        return bool(np.add(self.drafts, self.checks).min() < 1)

    def __str__(self) -> str:
        each = zip(self.rows, self.drafts, self.checks, strict=True)
        return "; ".join(f"{rows} rows: {draft:.2f} + {check:.2f}" for rows, draft, check in each)


class DraftLength:
    """Decides after each guess whether another one pays; lives as long as a batch is decoded."""

    def __init__(self, costs: StepCosts) -> None:
        self._costs = costs
        self._expected = self._right = _PRIOR
        self._probable, self._guessed = _PRIOR, _PRIOR

    def another(self, odds: NDArray[np.float64], guessed: int) -> bool:
        """Whether a round that has ``guessed`` tokens in each row should go on.

        ``odds [rows]`` are the draft's probabilities that a row's guesses so far are all right.
        """
        rows = len(odds)
        if guessed >= MAX_GUESSES or rows * (guessed + 2) > MAX_CHECKED:
            return False
        trust = self._right / self._expected  # above 1 for a draft that doubts what is right
        next_one = self._probable / self._guessed
        return min(1.0, trust * next_one * float(odds.mean())) > self._costs.share(rows)

    def note(self, probabilities: NDArray[np.float64], right: Sequence[int]) -> None:
        """Count a round: ``probabilities [rows, guesses]``, and how many were right in each row."""
        if probabilities.size:
            self._expected += float(probabilities.cumprod(axis=1).sum())
            self._right += sum(right)
            self._probable += float(probabilities[:, 0].sum())
            self._guessed += len(probabilities)
