"""Turns the audio of a clip into windows that begin and end at pauses.

Pieces of speech are packed: a window takes piece after piece while the next one fits as a whole.
A clip that fits into one window is not cut at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quest22.longform.pause_splitting import LONG_PAUSE_S
from quest22.longform.pauses.cutting import (
    FRAME_S,
    CuttingRules,
    PauseCutter,
    Piece,
    Probabilities,
)
from quest22.longform.speech_timeline import SpeechTimeline
from quest22.protocols import SpeechProbabilities
from quest22.records import VAD_FRAME_SAMPLES, Samples


@dataclass(frozen=True, slots=True)
class WindowingRules:
    """How pieces become windows.

    Clips of up to ``whole_clip`` samples are one window, if they contain speech.
    """

    cutting: CuttingRules
    whole_clip: int


@dataclass(frozen=True, slots=True, eq=False)
class SpeechWindow:
    """Up to 30 s of a clip, possibly without silences in it.

    ``timeline`` maps times in the window to times in the clip; ``probabilities`` are those of
    speech in its frames. ``whole``: it is all of the clip.
    """

    samples: Samples
    timeline: SpeechTimeline
    probabilities: Probabilities
    whole: bool = False

    def has_long_pause(self, speech_threshold: float) -> bool:
        """Whether there is a pause between words, in the window or left out of it.

        It is one by the frames, which are speech from this probability on.
        """
        if len(self.timeline.spans) > 1:
            return True
        speech = np.flatnonzero(self.probabilities >= speech_threshold)
        return bool((np.diff(speech) * FRAME_S >= LONG_PAUSE_S).any())


@dataclass(frozen=True, slots=True, eq=False)
class _SpeechPiece:
    """The audio of a piece; ``start`` is its first sample in the clip."""

    start: int
    samples: Samples
    probabilities: Probabilities


class SpeechWindows:
    """The windows of one clip, as its audio comes in.

    Holds the audio of a few minutes at most.
    """

    def __init__(self, probabilities: SpeechProbabilities, rules: WindowingRules) -> None:
        self._probabilities = probabilities
        self._rules = rules
        self._cutter = PauseCutter(rules.cutting)
        self._audio = _ClipAudio()
        self._longest = rules.cutting.longest
        self._pieces: list[_SpeechPiece] = []  # not in a window yet

    @property
    def samples_fed(self) -> int:
        return self._audio.end

    def feed(self, samples: Samples) -> list[SpeechWindow]:
        """Take the next block of audio, ``[samples]``; return the windows that are complete."""
        self._audio.add(samples)
        self._cut(self._probabilities.feed(samples))
        if self._audio.end <= self._rules.whole_clip:
            return []
        windows = self._pack()
        self._audio.drop_before(self._cutter.needed_from)
        return windows

    def flush(self) -> list[SpeechWindow]:
        """The clip has ended; return the rest."""
        self._cut(self._probabilities.flush())
        self._pieces += map(self._audio.piece, self._cutter.flush())
        if self._audio.end <= self._rules.whole_clip:
            whole = Piece(0, -(-self._audio.end // VAD_FRAME_SAMPLES))
            return [_window([self._audio.piece(whole)], whole=True)] if self._pieces else []
        windows = self._pack()
        return [*windows, _window(self._pieces)] if self._pieces else windows

    def _cut(self, frames: Probabilities) -> None:
        self._audio.add_probabilities(frames)
        self._pieces += map(self._audio.piece, self._cutter.feed(frames))

    def _pack(self) -> list[SpeechWindow]:
        """The full windows; the pieces of the one that is being filled remain."""
        windows: list[SpeechWindow] = []
        window: list[_SpeechPiece] = []
        for piece in self._pieces:
            if sum(len(each.probabilities) for each in [*window, piece]) > self._longest:
                windows.append(_window(window))
                window = []
            window.append(piece)
        self._pieces = window
        return windows


class _ClipAudio:
    """Samples and probabilities of the part of a clip that may still be needed."""

    def __init__(self) -> None:
        self._blocks: list[Samples] = []
        self._first = 0  # sample of the first block
        self.end = 0
        self._probabilities = np.empty(0, np.float32)
        self._first_frame = 0

    def add(self, samples: Samples) -> None:
        if len(samples):
            self._blocks.append(samples)
            self.end += len(samples)

    def add_probabilities(self, frames: Probabilities) -> None:
        self._probabilities = np.concatenate((self._probabilities, frames))

    def drop_before(self, frame: int) -> None:
        """Drop what lies before a frame."""
        while self._blocks and self._first + len(self._blocks[0]) <= frame * VAD_FRAME_SAMPLES:
            self._first += len(self._blocks.pop(0))
        if frame > self._first_frame:
            self._probabilities = self._probabilities[frame - self._first_frame :]
            self._first_frame = frame

    def piece(self, piece: Piece) -> _SpeechPiece:
        start, stop = piece.start * VAD_FRAME_SAMPLES, min(piece.stop * VAD_FRAME_SAMPLES, self.end)
        frames = slice(piece.start - self._first_frame, piece.stop - self._first_frame)
        return _SpeechPiece(start, self._between(start, stop), self._probabilities[frames])

    def _between(self, start: int, stop: int) -> Samples:
        parts, at = [np.empty(0, np.float32)], self._first
        for block in self._blocks:
            parts.append(block[max(start - at, 0) : max(stop - at, 0)])
            at += len(block)
            if at >= stop:
                break
        return np.concatenate(parts)


def _window(pieces: list[_SpeechPiece], *, whole: bool = False) -> SpeechWindow:
    timeline = SpeechTimeline()
    for piece in pieces:
        timeline.add(piece.start, len(piece.samples))
    samples = np.concatenate([piece.samples for piece in pieces])
    probabilities = np.concatenate([piece.probabilities for piece in pieces])
    return SpeechWindow(samples, timeline, probabilities, whole=whole)
