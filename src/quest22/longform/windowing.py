"""Cuts a stream of audio into windows: overlapping ones, or whole spans of speech packed together.

Knows nothing of tokens or models.
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
                f"strides of {self.left} and {self.right} samples are too long for a chunk of "
                f"{self.chunk}: expected a sum shorter than the chunk"
            )

    @property
    def step(self) -> int:
        """Samples from the start of a window to the start of the next."""
        return self.chunk - self.left - self.right

    @classmethod
    def of(cls, settings: LongFormSettings) -> StrideLengths:
        """From seconds, rounded to the nearest sample (halves to even, as Python rounds)."""
        seconds = (settings.chunk_length_s, *settings.stride_s)
        chunk, left, right = (round(length_s * SAMPLE_RATE_HZ) for length_s in seconds)
        return cls(chunk, left, right)


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """The audio of one window; ``start`` is its first sample in the clip, lengths are in samples.

    ``left`` and ``right`` are its overlaps with its neighbours. A ``self_contained`` chunk was cut
    at pauses: no word or sentence continues in the next.
    """

    samples: Samples
    start: int
    left: int
    right: int
    self_contained: bool = False


class WindowChunker(Protocol):
    """Blocks of audio in, chunks out."""

    @property
    def samples_fed(self) -> int: ...

    def feed(self, samples: Samples) -> list[Chunk]: ...

    def flush(self) -> list[Chunk]: ...


class Chunker:
    """Overlapping windows, cut from blocks of any size; holds the audio of one window.

    Windows lie where the chunking of Transformers' speech recognition pipeline puts them
    (``chunk_iter``): each is ``chunk`` long and begins ``chunk - left - right`` after the one
    before; the first has no left stride, the last no right stride, and the last is the first that
    reaches the end of the audio.
    """

    def __init__(self, lengths: StrideLengths) -> None:
        self._lengths = lengths
        self._buffer = np.empty(lengths.chunk, np.float32)
        self._filled = 0
        self._start = 0

    @property
    def samples_fed(self) -> int:
        """The samples fed so far: the length of the clip, once it has ended."""
        return self._start + self._filled

    def feed(self, samples: Samples) -> list[Chunk]:
        """Take a block, ``[samples]``; return the windows that are certainly not the last."""
        chunks = []
        while len(samples):
            if self._filled == self._lengths.chunk:
                chunks.append(self._chunk(self._lengths.right))
                self._slide()
            room = self._lengths.chunk - self._filled
            taken, samples = samples[:room], samples[room:]
            self._buffer[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
        return chunks

    def flush(self) -> list[Chunk]:
        """The last window; none if there was no audio. Frees the audio."""
        chunks = [self._chunk(0)] if self._filled else []
        self._buffer = np.empty(0, np.float32)
        return chunks

    def _chunk(self, right: int) -> Chunk:
        left = self._lengths.left if self._start else 0
        return Chunk(self._buffer[: self._filled].copy(), self._start, left, right)

    def _slide(self) -> None:
        """Keep the overlap with the next window."""
        shared = self._lengths.chunk - self._lengths.step
        self._buffer[:shared] = self._buffer[self._lengths.step :].copy()
        self._filled = shared
        self._start += self._lengths.step


class PackingChunker:
    """Windows of up to ``chunk`` samples, made of whole speech spans; holds one window.

    Like ``collect_chunks`` of faster-whisper's batched pipeline: a window takes span after span
    while the next one fits as a whole. Windows therefore begin and end at pauses and do not
    overlap.
    """

    def __init__(self, chunk: int) -> None:
        self._chunk = chunk
        self._spans: list[Samples] = []
        self._filled = 0
        self._start = 0

    @property
    def samples_fed(self) -> int:
        """The samples of all spans so far."""
        return self._start + self._filled

    def feed(self, samples: Samples) -> list[Chunk]:
        """Take a span of speech; return the windows that have no room for it.

        A span that is longer than a window fills several.
        """
        chunks = []
        for start in range(0, len(samples), self._chunk):
            span = samples[start : start + self._chunk]
            if self._filled + len(span) > self._chunk:
                chunks += self.flush()
            self._spans.append(span)
            self._filled += len(span)
        return chunks

    def flush(self) -> list[Chunk]:
        """The window that is being filled; none if it is empty."""
        if not self._filled:
            return []
        chunk = Chunk(np.concatenate(self._spans), self._start, 0, 0, self_contained=True)
        self._start += self._filled
        self._spans, self._filled = [], 0
        return [chunk]
