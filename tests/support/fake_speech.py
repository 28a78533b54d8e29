"""Sound whose speech is known beforehand, and a detector that is told where it is."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from quest22.records import Samples, SpeechChunk

FRAME = 512


class FixedProbabilities:
    """A stream of probabilities that were decided beforehand, a frame of 512 samples each."""

    def __init__(self, probabilities: Iterable[float]) -> None:
        self._left = np.array(list(probabilities), np.float32)
        self._waiting = 0

    def feed(self, samples: Samples) -> np.ndarray:
        self._waiting += len(samples)
        return self._next(self._waiting // FRAME)

    def flush(self) -> np.ndarray:
        return self._next(1)

    def _next(self, frames: int) -> np.ndarray:
        self._waiting -= frames * FRAME
        given, self._left = self._left[:frames], self._left[frames:]
        return given


def joined(pieces: Iterable[SpeechChunk]) -> list[tuple[int, int]]:
    """Start and end of each stretch; checks that pieces of one stretch follow one another."""
    stretches: list[tuple[int, int]] = []
    open_from: int | None = None
    position = 0
    for piece in pieces:
        if open_from is None:
            open_from = piece.start
        else:
            assert piece.start == position
        position = piece.start + len(piece.samples)
        if piece.last:
            stretches.append((open_from, position))
            open_from = None
    assert open_from is None
    return stretches
