"""Finds float samples that are on the scale of integers, and brings them to ±1.

Sound that was converted to float without being divided by 32,768 is some 90 dB too loud: neither
the voice detector nor Whisper hears words in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BEYOND = 16.0
SHARE = 0.01
"""Sound of which this share of a second lies 24 dB over full scale is not on a scale of ±1,
however hot its master."""

FULL_SCALES = (2.0**15, 2.0**23, 2.0**31)
_MAX = 2 * FULL_SCALES[-1]


class IntegerScale:
    """The scale of one recording's float samples; ``full_scale`` is 1 unless it is found out."""

    def __init__(self) -> None:
        self.full_scale = 1.0

    @property
    def found(self) -> bool:
        return self.full_scale > 1.0

    def to_unit(self, values: NDArray[Any]) -> NDArray[Any]:
        """The next second or so, of any shape, on a scale of ±1; the same array if it was."""
        with np.errstate(all="ignore"):
            levels = np.abs(values)
            self.full_scale = max(self.full_scale, self._full_scale(levels))
            return values * values.dtype.type(1.0 / self.full_scale) if self.found else values

    def _full_scale(self, levels: NDArray[Any]) -> float:
        peak = float(levels.max(initial=0.0))
        if peak <= 1.0 and not self.found:
            return 1.0
        if not (self.found or _is_beyond(levels) or _are_integers(levels, peak)):
            return 1.0
        loud = _level(levels)
        return next((scale for scale in FULL_SCALES if loud <= scale), FULL_SCALES[-1])


def _is_beyond(levels: NDArray[Any]) -> bool:
    """Whether enough samples lie beyond full scale, and not so far that they are damaged."""
    return bool(np.mean((levels > BEYOND) & (levels <= _MAX)) > SHARE)


def _are_integers(levels: NDArray[Any], peak: float) -> bool:
    """Whether there is sound, and no sample lies between integers; a square wave of ±1 is none."""
    return 2.0 <= peak <= _MAX and bool((levels == np.rint(levels)).all())


def _level(levels: NDArray[Any]) -> float:
    """What one sample in a hundred reaches, damaged ones apart."""
    sane = levels[levels <= _MAX]
    return float(np.quantile(sane, 0.99)) if sane.size else 0.0
