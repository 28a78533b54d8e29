"""Mixes the channels of a recording to mono.

The mix is the mean of all channels. If they cancel each other in it, because one has reversed
polarity, the loudest channel is taken instead. Works on about a second at a time, and holds nothing
but which channel was taken last.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.records import Samples

CANCELLED = 0.2
"""The mix of unrelated channels has 1/N of the energy of one of them, N being their number. If it
has less than this share of that, the channels cancel each other: stereo with a correlation below
−0.8."""

SHORTEST = 1000
"""Fewer samples say nothing: they are mixed as those before them."""

MUCH_LOUDER = 4.0
"""A channel that was taken gives way to one with this many times its energy (6 dB)."""


class Mixer:
    """Mixes one recording, piece by piece; ``cancels``: some pieces of it cancelled in the mix."""

    def __init__(self) -> None:
        self.cancels = False
        self._is_cancelled = False
        self._taken: int | None = None

    def mix(self, values: NDArray[Any]) -> Samples:
        """The next piece, ``[channels, samples]``, as float32 on the same scale; never clipped."""
        with np.errstate(all="ignore"):  # absurd values are zeroed later
            mono = mean(values)
            if len(values) > 1 and mono.size >= SHORTEST:
                self._compare(mono, values)
        if not self._is_cancelled or self._taken is None or self._taken >= len(values):
            return mono
        taken: Samples = values[self._taken].astype(np.float32)
        return taken

    def _compare(self, mono: Samples, values: NDArray[Any]) -> None:
        """Decide whether the mix is cancelled, and which channel is taken if it is."""
        energies = np.array([_energy(channel.astype(np.float32)) for channel in values])
        self._is_cancelled = _energy(mono) < CANCELLED / len(values) * float(energies.mean())
        if self._is_cancelled:
            self.cancels = True
            loudest, taken = int(energies.argmax()), self._taken
            stays = taken is not None and taken < len(values)
            if taken is None or not stays or energies[loudest] > MUCH_LOUDER * energies[taken]:
                self._taken = loudest


def mean(values: NDArray[Any]) -> Samples:
    """The mean of channels, ``[channels, samples]``, as float32."""
    mono: Samples = values[0].astype(np.float32)
    for other in values[1:]:
        mono += other
    if len(values) > 1:
        mono *= np.float32(1.0 / len(values))
    return mono


def _energy(samples: Samples) -> float:
    """The energy of the differences between samples, in which hum and offsets weigh little."""
    steps = np.diff(samples)
    return float(np.dot(steps, steps))
