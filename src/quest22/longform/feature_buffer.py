"""Buffers the log-mel frames of a clip that are still needed; extracts the features of windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quest22.records import FRAMES_PER_S, WINDOW_S

WINDOW_FRAMES = round(WINDOW_S * FRAMES_PER_S)
DYNAMIC_RANGE = np.float32(8.0)

Frames = NDArray[np.float32]


class FeatureBuffer:
    """Frames by their number in the clip: log10 of mel power, ``[mel bins, frames]``."""

    def __init__(self) -> None:
        self._parts: list[Frames] = []
        self._first = 0
        self._peak = np.float32(-np.inf)
        self.total = 0

    def add(self, frames: Frames) -> None:
        """Add the next frames of the clip."""
        if frames.shape[1]:
            self._parts.append(frames)
            self._peak = max(self._peak, frames.max())
            self.total += frames.shape[1]

    def drop_before(self, frame: int) -> None:
        """Drop the frames before this one, which are no longer needed."""
        while self._parts and self._first + self._parts[0].shape[1] <= frame:
            self._first += self._parts.pop(0).shape[1]

    def window(self, first: int, count: int) -> Frames:
        """Features of frames from ``first`` on, ``[mel bins, 3000]``, padded with zeros.

        Normalised by the loudest frame added so far.
        """
        features = np.zeros((len(self._parts[0]), WINDOW_FRAMES), np.float32)
        start = self._first
        for part in self._parts:
            frames = part[:, max(first - start, 0) : max(first + count - start, 0)]
            column = max(start - first, 0)
            normalised = (np.maximum(frames, self._peak - DYNAMIC_RANGE) + 4) / 4
            features[:, column : column + frames.shape[1]] = normalised
            start += part.shape[1]
        return features
