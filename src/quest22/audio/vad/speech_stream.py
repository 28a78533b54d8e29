"""A clip's sound to the stretches of it that hold speech, as it streams in.

The result is faster-whisper's ``get_speech_timestamps``: each stretch is padded on both sides, and
stretches that come closer than two paddings share the silence between them. Sound is given out as
soon as it is certain to be speech and where its stretch begins, so that no recording is ever held
whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from quest22.audio.vad.endpoints import Endpointer, EndpointRules
from quest22.audio.vad.silero.model import Probabilities
from quest22.records import Samples, SpeechChunk


class ProbabilityStream(Protocol):
    """Sound in, the probability of speech in each frame of 512 samples out."""

    def feed(self, samples: Samples) -> Probabilities: ...

    def flush(self) -> Probabilities: ...


class SpeechStream:
    """One clip; a :class:`quest22.protocols.SpeechDetector`.

    Holds the sound that is not yet decided on: without a longest speech about a second, with one
    at most that.
    """

    def __init__(self, probabilities: ProbabilityStream, rules: EndpointRules) -> None:
        self._probabilities = probabilities
        self._rules = rules
        self._endpoints = Endpointer(rules)
        self._sound = _Held()
        self._given = 0
        self._begun = False
        self._ended_at: int | None = None

    def feed(self, samples: Samples) -> list[SpeechChunk]:
        """Take the next block; give what is known to be speech."""
        self._sound.add(samples)
        pieces = [*self._take(self._probabilities.feed(samples)), *self._advance()]
        self._sound.forget(self._needed_from())
        return pieces

    def flush(self) -> list[SpeechChunk]:
        """The sound has ended; give the rest of its speech."""
        pieces = list(self._take(self._probabilities.flush()))
        for span in self._endpoints.finish(self._sound.end):
            pieces += self._end(*span)
        if self._ended_at is not None:
            pieces.append(self._last_piece(min(self._ended_at + self._rules.pad, self._sound.end)))
        return pieces

    def _take(self, probabilities: Probabilities) -> Iterable[SpeechChunk]:
        for probability in probabilities:
            for span in self._endpoints.take(float(probability)):
                yield from self._end(*span)

    def _advance(self) -> list[SpeechChunk]:
        """What can be given although nothing has ended."""
        start, certain = self._endpoints.start, self._endpoints.certain
        if start is not None and (self._begun or certain - start > self._rules.min_speech):
            pieces = self._begin(start)
            return [*pieces, self._piece(certain)] if certain > self._given else pieces
        until = self._endpoints.position if start is None else start
        if self._ended_at is not None and until - self._ended_at >= 2 * self._rules.pad:
            return [self._last_piece(self._ended_at + self._rules.pad)]
        return []

    def _begin(self, start: int) -> list[SpeechChunk]:
        """A stretch begins: now it is known where the one before it ends."""
        if self._begun:
            return []
        self._begun = True
        if self._ended_at is None:
            self._given = max(0, start - self._rules.pad)
            return []
        between = min((start - self._ended_at) // 2, self._rules.pad)
        last = self._last_piece(self._ended_at + between)
        self._given = start - between
        return [last]

    def _end(self, start: int, end: int) -> list[SpeechChunk]:
        pieces = self._begin(start)
        self._begun = False
        self._ended_at = end
        return pieces

    def _piece(self, end: int, *, last: bool = False) -> SpeechChunk:
        piece = SpeechChunk(self._sound.between(self._given, end), self._given, last)
        self._given = end
        return piece

    def _last_piece(self, end: int) -> SpeechChunk:
        self._ended_at = None
        return self._piece(end, last=True)

    def _needed_from(self) -> int:
        if self._begun or self._ended_at is not None:
            return self._given
        start = self._endpoints.start
        return (self._endpoints.position if start is None else start) - self._rules.pad


class _Held:
    """The sound that may still be asked for, by its place in the clip."""

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

    def forget(self, before: int) -> None:
        if before > self._from:
            self._samples = self._samples[before - self._from :].copy()
            self._from = before
