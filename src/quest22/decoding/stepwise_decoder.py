"""The decoder's network as a search sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quest22.decoding.logits_rules import Logits


class StepwiseDecoder(Protocol):
    """A decoder with its memory of earlier positions, for a batch whose sound it has heard.

    Each window has as many rows as every other, side by side.
    """

    def step(self, tokens: NDArray[np.int32], reads: Sequence[int]) -> Logits:
        """Feed ``tokens [B, T]``; the logits after the places ``reads`` of T: ``[B, N, V]``.

        The array is writable and valid until the next call.
        """
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Row i of the next step continues row ``rows[i]`` of the last; others leave.

        Rows continue rows of the same window, and a window leaves with all of its rows.
        """
        ...
