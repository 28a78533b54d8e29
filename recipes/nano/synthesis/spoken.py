"""One synthesised sentence: its sound and where each of its words lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Times = NDArray[np.float32]

GATE_BELOW_PEAK = 10 ** (-38 / 20)
FRAME_SAMPLES = 160


@dataclass(frozen=True, slots=True)
class Spoken:
    """Sound at ``rate_hz``; ``starts_s`` and ``ends_s`` have one value a word of the text."""

    samples: Samples
    rate_hz: int
    starts_s: Times
    ends_s: Times
    marked: bool


def from_marks(samples: Samples, rate_hz: int, text: str, starts: dict[int, float]) -> Spoken:
    """Words from marks (index of the word → start, s); a word without a mark is interpolated."""
    words = text.split()
    first, last = voiced_span(samples, rate_hz)
    known = sorted(starts.items())
    if not known or known[0][0] != 0:
        known.insert(0, (0, first))
    weights = np.cumsum([0] + [len(word) + 1 for word in words]).astype(np.float32)
    at = [weights[index] for index, _ in known] + [weights[-1]]
    times = [max(time, first) for _, time in known] + [last]
    edges = np.interp(weights, at, np.maximum.accumulate(times)).astype(np.float32)
    return Spoken(samples, rate_hz, edges[:-1], edges[1:], marked=len(starts) > 0)


def voiced_span(samples: Samples, rate_hz: int) -> tuple[float, float]:
    """Where the sound first and last comes within 38 dB of its loudest 10 ms, in seconds."""
    hop = rate_hz // 100
    count = max(1, len(samples) // hop)
    frames = np.resize(samples, count * hop).reshape(count, hop)
    loud = np.sqrt((frames**2).mean(axis=1))
    voiced = np.flatnonzero(loud >= loud.max() * GATE_BELOW_PEAK)
    return float(voiced[0]) / 100, float(voiced[-1] + 1) / 100
