"""Packs stretches of speech into windows. Knows nothing of how they were found.

As ``collect_chunks`` of faster-whisper does for its batched pipeline: a window takes stretches, one
after the other, while it has room for the whole of the next. So windows begin and end at pauses and
share no sound.
"""

from __future__ import annotations

import numpy as np

from quest22.longform.windowing import Chunk
from quest22.records import Samples


class PackingChunker:
    """Whole stretches in, windows of up to ``chunk`` samples out; holds one window's sound."""

    def __init__(self, chunk: int) -> None:
        self._chunk = chunk
        self._stretches: list[Samples] = []
        self._filled = 0
        self._start = 0

    @property
    def samples_fed(self) -> int:
        """The samples of all stretches so far."""
        return self._start + self._filled

    def feed(self, samples: Samples) -> list[Chunk]:
        """Take a stretch; give the windows that have no room for it.

        One that is longer than a window fills several.
        """
        cuts = []
        for begun in range(0, len(samples), self._chunk):
            stretch = samples[begun : begun + self._chunk]
            if self._filled + len(stretch) > self._chunk:
                cuts += self.flush()
            self._stretches.append(stretch)
            self._filled += len(stretch)
        return cuts

    def flush(self) -> list[Chunk]:
        """The window that is being filled; none if nothing is in it."""
        if not self._filled:
            return []
        cut = Chunk(np.concatenate(self._stretches), self._start, 0, 0, apart=True)
        self._start += self._filled
        self._stretches, self._filled = [], 0
        return [cut]
