"""Cuts a stream of sound into overlapping windows. Knows nothing of tokens or models.

Windows stand where the chunking of Transformers' speech recognition pipeline puts them
(``chunk_iter``): each is ``chunk`` long and begins ``chunk - left - right`` after the one before;
the first has no left stride, the last no right stride, and the last is the first that reaches the
end of the sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ, Samples
from quest22.settings import LongFormSettings


@dataclass(frozen=True, slots=True)
class StrideLengths:
    """Lengths in samples: a window and its overlaps to the left and to the right."""

    chunk: int
    left: int
    right: int

    def __post_init__(self) -> None:
        if self.step < 1:
            raise UsageError(
                f"strides of {self.left} and {self.right} samples leave nothing of a chunk of "
                f"{self.chunk}: expected a shorter stride or a longer chunk"
            )

    @property
    def step(self) -> int:
        """Samples from the start of a window to the start of the next."""
        return self.chunk - self.left - self.right

    @classmethod
    def of(cls, settings: LongFormSettings) -> StrideLengths:
        """Seconds to samples, to the nearest (halves to the even one, as Python rounds)."""
        seconds = (settings.chunk_length_s, *settings.stride_s)
        chunk, left, right = (round(length_s * SAMPLE_RATE_HZ) for length_s in seconds)
        return cls(chunk, left, right)


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A stretch of sound with its place in the clip; all lengths in samples.

    ``left`` and ``right`` are how much of it the neighbours hear too. One that is ``apart`` was
    cut at pauses: neither word nor sentence goes over into the next.
    """

    samples: Samples
    start: int
    left: int
    right: int
    apart: bool = False


class WindowChunker(Protocol):
    """Sound in, windows out."""

    @property
    def samples_fed(self) -> int: ...

    def feed(self, samples: Samples) -> list[Chunk]: ...

    def flush(self) -> list[Chunk]: ...


class Chunker:
    """Blocks of any size in, windows out; holds the sound of one window and no more."""

    def __init__(self, lengths: StrideLengths) -> None:
        self._lengths = lengths
        self._buffer = np.empty(lengths.chunk, np.float32)
        self._filled = 0
        self._start = 0

    @property
    def samples_fed(self) -> int:
        """The samples taken so far: the length of the clip, once it has ended."""
        return self._start + self._filled

    def feed(self, samples: Samples) -> list[Chunk]:
        """Take a block, ``[samples]``; give the windows that are known not to be the last."""
        cuts = []
        while len(samples):
            if self._filled == self._lengths.chunk:
                cuts.append(self._cut(self._lengths.right))
                self._slide()
            room = self._lengths.chunk - self._filled
            taken, samples = samples[:room], samples[room:]
            self._buffer[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
        return cuts

    def flush(self) -> list[Chunk]:
        """The last window; none if no sound ever came. Lets go of the sound."""
        cuts = [self._cut(0)] if self._filled else []
        self._buffer = np.empty(0, np.float32)
        return cuts

    def _cut(self, right: int) -> Chunk:
        left = self._lengths.left if self._start else 0
        return Chunk(self._buffer[: self._filled].copy(), self._start, left, right)

    def _slide(self) -> None:
        """Keep what the next window shares with this one."""
        kept = self._lengths.chunk - self._lengths.step
        self._buffer[:kept] = self._buffer[self._lengths.step :].copy()
        self._filled = kept
        self._start += self._lengths.step
