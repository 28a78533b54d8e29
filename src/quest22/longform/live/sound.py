"""The sound of a session that may still be needed, by its place in the session."""

from __future__ import annotations

from collections import deque

import numpy as np

from quest22.records import Samples


class SoundBuffer:
    """Blocks of mono sound; samples are counted from the session's start."""

    def __init__(self) -> None:
        self._blocks: deque[Samples] = deque()
        self._first = 0
        self.end = 0

    def add(self, samples: Samples) -> None:
        """Take the next block, ``[samples]``, which is copied."""
        if len(samples):
            self._blocks.append(np.array(samples, np.float32))
            self.end += len(samples)

    def drop_before(self, start: int) -> None:
        """Forget the blocks that end before a sample."""
        while self._blocks and self._first + len(self._blocks[0]) <= start:
            self._first += len(self._blocks.popleft())

    def between(self, start: int, stop: int) -> Samples:
        """The samples from ``start`` to before ``stop``, as far as they are there."""
        parts, at = [np.empty(0, np.float32)], self._first
        for block in self._blocks:
            if at >= stop:
                break
            parts.append(block[max(start - at, 0) : max(stop - at, 0)])
            at += len(block)
        return np.concatenate(parts)
