"""Extracts the speech of a clip as its blocks arrive.

The result is that of faster-whisper's ``get_speech_timestamps``: each span is padded on both sides,
and spans closer than two paddings share the silence between them. Audio is emitted as soon as it is
certain to be speech and its span's start is known, so a recording is never held whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from quest22.audio.vad.endpoints import Endpointer, EndpointRules
from quest22.audio.vad.silero.model import Probabilities
from quest22.records import Samples, SpeechChunk


class ProbabilityStream(Protocol):
    """Audio in, the probability of speech in each frame of 512 samples out."""

    def feed(self, samples: Samples) -> Probabilities: ...

    def flush(self) -> Probabilities: ...


class SpeechStream:
    """One clip; a :class:`quest22.protocols.SpeechDetector`.

    Buffers the audio that is still undecided: about a second, or the longest speech if limited.
    """

    def __init__(self, probabilities: ProbabilityStream, rules: EndpointRules) -> None:
        self._probabilities = probabilities
        self._rules = rules
        self._endpoints = Endpointer(rules)
        self._buffer = _SampleBuffer()
        self._emitted_until = 0
        self._in_speech = False
        self._ended_at: int | None = None

    def feed(self, samples: Samples) -> list[SpeechChunk]:
        """Take the next block; return what is known to be speech."""
        self._buffer.add(samples)
        pieces = [*self._feed_endpoints(self._probabilities.feed(samples)), *self._advance()]
        self._buffer.drop_before(self._needed_from())
        return pieces

    def flush(self) -> list[SpeechChunk]:
        """The clip has ended; return the rest of its speech."""
        pieces = list(self._feed_endpoints(self._probabilities.flush()))
        for span in self._endpoints.flush(self._buffer.end):
            pieces += self._end(*span)
        if self._ended_at is not None:
            pieces.append(self._last_piece(min(self._ended_at + self._rules.pad, self._buffer.end)))
        return pieces

    def _feed_endpoints(self, probabilities: Probabilities) -> Iterable[SpeechChunk]:
        for probability in probabilities:
            for span in self._endpoints.feed(float(probability)):
                yield from self._end(*span)

    def _advance(self) -> list[SpeechChunk]:
        """What can be emitted although no span has ended."""
        start, confirmed_until = self._endpoints.start, self._endpoints.confirmed_until
        if start is not None and (
            self._in_speech or confirmed_until - start > self._rules.min_speech
        ):
            pieces = self._begin(start)
            return (
                [*pieces, self._piece(confirmed_until)]
                if confirmed_until > self._emitted_until
                else pieces
            )
        until = self._endpoints.position if start is None else start
        if self._ended_at is not None and until - self._ended_at >= 2 * self._rules.pad:
            return [self._last_piece(self._ended_at + self._rules.pad)]
        return []

    def _begin(self, start: int) -> list[SpeechChunk]:
        """A span starts: now it is known where the padding of the previous one ends."""
        if self._in_speech:
            return []
        self._in_speech = True
        if self._ended_at is None:
            self._emitted_until = max(0, start - self._rules.pad)
            return []
        between = min((start - self._ended_at) // 2, self._rules.pad)
        last = self._last_piece(self._ended_at + between)
        self._emitted_until = start - between
        return [last]

    def _end(self, start: int, end: int) -> list[SpeechChunk]:
        pieces = self._begin(start)
        self._in_speech = False
        self._ended_at = end
        return pieces

    def _piece(self, end: int, *, last: bool = False) -> SpeechChunk:
        piece = SpeechChunk(
            self._buffer.between(self._emitted_until, end), self._emitted_until, last
        )
        self._emitted_until = end
        return piece

    def _last_piece(self, end: int) -> SpeechChunk:
        self._ended_at = None
        return self._piece(end, last=True)

    def _needed_from(self) -> int:
        if self._in_speech or self._ended_at is not None:
            return self._emitted_until
        start = self._endpoints.start
        return (self._endpoints.position if start is None else start) - self._rules.pad


class _SampleBuffer:
    """The samples that may still be emitted, addressed by their position in the clip."""

    def __init__(self) -> None:
        self._samples = np.empty(0, np.float32)
        self._from = 0

    @property
    def end(self) -> int:
        return self._from + len(self._samples)

    def add(self, samples: Samples) -> None:
        self._samples = np.concatenate((self._samples, samples))

    def between(self, start: int, end: int) -> Samples:
        return self._samples[start - self._from : end - self._from].copy()

    def drop_before(self, before: int) -> None:
        if before > self._from:
            self._samples = self._samples[before - self._from :].copy()
            self._from = before
