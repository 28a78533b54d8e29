"""Finds the pieces of a recording that windows are made of: cut at pauses, without long silences.

Works on the speech probabilities of frames; knows neither samples nor models. Silence of a certain
length is left out. What remains is cut where people pause, by dynamic programming over the next
minutes: cuts cost less the longer the pause and the lower the speech probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quest22.records import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES

Probabilities = NDArray[np.float32]

FRAME_S = VAD_FRAME_SAMPLES / SAMPLE_RATE_HZ
SMOOTHED_FRAMES = 9
LOUD = 0.35
"""Frames from this probability on bound a pause."""

HALF_PAUSE_FRAMES = 16
"""A cut in the middle of a pause of a second is as good as one in a longer pause."""

PIECE_COST = 0.25
HORIZON = 4
"""Cuts are chosen over this many longest pieces at once, and the first half of them is final."""


class Piece(NamedTuple):
    """Frames from ``start`` up to but not including ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class CuttingRules:
    """Lengths in frames of 32 ms, ``quiet`` a probability.

    At least ``silence`` frames below ``quiet`` are left out, but for ``pad`` on each side. Pieces
    have up to ``longest`` frames and are not cut shorter than ``shortest``, at most half of that.
    """

    quiet: float = 0.2
    silence: int = 63
    pad: int = 16
    longest: int = 906
    shortest: int = 188


class PauseCutter:
    """Takes the probabilities of one clip; returns pieces as soon as they are final.

    The pieces do not depend on how many frames come at once.
    """

    def __init__(self, rules: CuttingRules) -> None:
        self._rules = rules
        self._horizon = HORIZON * rules.longest
        self._frames = 0
        self._free_from = 0
        self._start: int | None = None  # of the speech that is not cut yet
        self._last_loud = 0
        self._pending: list[float] = []  # probabilities from ``_start`` on
        self._recent: list[float] = []  # those that may become padding

    def feed(self, probabilities: Probabilities) -> list[Piece]:
        """Take the next frames, ``[frames]``."""
        return [piece for each in probabilities.tolist() for piece in self._feed_frame(each)]

    def flush(self) -> list[Piece]:
        """The clip has ended; return the rest."""
        if self._start is None:
            return []
        return self._end_part(min(self._last_loud + 1 + self._rules.pad, self._frames))

    @property
    def needed_from(self) -> int:
        """Pieces to come begin at this frame or later."""
        if self._start is not None:
            return self._start
        return max(self._free_from, self._frames - self._rules.pad)

    def _feed_frame(self, probability: float) -> list[Piece]:
        frame, self._frames = self._frames, self._frames + 1
        if probability >= self._rules.quiet:
            self._last_loud = frame
            if self._start is None:
                self._start = max(self._free_from, frame - self._rules.pad)
                self._pending = self._recent[len(self._recent) - (frame - self._start) :]
        if self._start is None:
            self._recent = [*self._recent, probability][-max(self._rules.pad, 1) :]
            return []
        self._pending.append(probability)
        if frame - self._last_loud >= self._rules.silence:
            return self._end_part(self._last_loud + 1 + self._rules.pad)
        return self._cut_ahead() if len(self._pending) >= self._horizon else []

    def _cut_ahead(self) -> list[Piece]:
        """Make the cuts final that later audio will hardly change."""
        cuts = best_cuts(np.array(self._pending, np.float32), self._rules)
        final = [cut for cut in cuts if cut <= self._horizon // 2]
        return self._take(final)

    def _end_part(self, stop: int) -> list[Piece]:
        """Silence begins: everything before ``stop`` is cut."""
        start = self._start or 0
        stop = max(stop, start)  # the last cut may lie in a silence that is longer than two pieces
        rest, self._recent = self._pending[: stop - start], self._pending[stop - start :]
        self._recent = self._recent[-max(self._rules.pad, 1) :]
        cuts = [*best_cuts(np.array(rest, np.float32), self._rules), len(rest)]
        pieces = self._take(cuts) if rest else []
        self._free_from, self._start, self._pending = stop, None, []
        return pieces

    def _take(self, cuts: list[int]) -> list[Piece]:
        start = self._start or 0
        bounds = [start, *(start + cut for cut in cuts)]
        self._pending = self._pending[cuts[-1] :]
        self._start = bounds[-1]
        return [Piece(*each) for each in pairwise(bounds)]


def best_cuts(probabilities: Probabilities, rules: CuttingRules) -> list[int]:
    """Where to cut some speech into pieces that are neither too long nor too short, in frames.

    The cuts minimise the sum of their costs and of a cost for each piece, by dynamic programming.
    The last piece may be as short as a second.
    """
    count, longest = len(probabilities), rules.longest
    if count <= longest:
        return []
    costs = cut_costs(probabilities)
    last_shortest = min(rules.shortest, round(1 / FRAME_S))
    best = np.full(count + 1, np.inf)
    before = np.zeros(count + 1, np.int64)
    best[0] = 0.0
    for stop in range(1, count + 1):
        earliest = max(0, stop - longest)
        latest = stop - (rules.shortest if stop < count else last_shortest)
        if latest < earliest:
            continue
        start = earliest + int(best[earliest : latest + 1].argmin())
        best[stop] = best[start] + PIECE_COST + (costs[stop] if stop < count else 0.0)
        before[stop] = start
    cuts = []
    at = int(before[count])
    while at > 0:
        cuts.append(at)
        at = int(before[at])
    return cuts[::-1]


def cut_costs(probabilities: Probabilities) -> NDArray[np.float64]:
    """The cost of a cut before each frame: from 0 in a long silence to about 1.5 in a word."""
    half = SMOOTHED_FRAMES // 2
    padded = np.pad(probabilities.astype(np.float64), half, mode="edge")
    smooth = np.convolve(padded, np.full(SMOOTHED_FRAMES, 1 / SMOOTHED_FRAMES), "valid")
    frames = np.arange(len(probabilities))
    loud = probabilities >= LOUD
    far = len(probabilities) + HALF_PAUSE_FRAMES
    last = np.maximum.accumulate(np.where(loud, frames, -far))
    following = np.minimum.accumulate(np.where(loud, frames, 2 * far)[::-1])[::-1]
    distance = np.minimum(np.minimum(frames - last, following - frames), HALF_PAUSE_FRAMES)
    costs: NDArray[np.float64] = smooth + (HALF_PAUSE_FRAMES - distance) * FRAME_S
    return costs
