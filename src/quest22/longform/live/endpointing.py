"""Where segments begin and end, frame by frame, from the probability of speech.

Knows neither samples nor text. Speech is a few frames above a threshold, so that clicks and knocks
open no segment; it lasts while frames stay above a lower threshold.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice

from quest22.records import SAMPLE_RATE_HZ, VAD_FRAME_SAMPLES

FRAME_S = VAD_FRAME_SAMPLES / SAMPLE_RATE_HZ
ONSET_FRAMES, ONSET_SPAN = 3, 8
"""Speech begins with so many frames above the threshold within so many."""


class Signal(Enum):
    """What a frame means for the segment."""

    NONE = "none"
    OPENED = "opened"
    PAUSED = "paused"
    RESUMED = "resumed"
    MAY_END = "may end"
    SHOULD_END = "should end"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """Thresholds are probabilities, lengths are in frames of 32 ms.

    After ``eager`` frames of silence its text is heard, once a frame is ``quiet``; after ``soon``
    frames it is heard in any case, and a segment may end; after ``silence`` frames it should, and
    after ``most`` frames it does. Soft last sounds, as in "south" and "asleep", are silence, but
    not quiet.
    """

    threshold: float = 0.5
    neg_threshold: float = 0.35
    quiet: float = 0.15
    onset: int = ONSET_FRAMES
    eager: int = 3
    soon: int = 9
    silence: int = 9
    most: int = 9


@dataclass(slots=True, eq=False)
class Endpointer:
    """Takes the frames of a session one by one.

    ``speech_start`` and ``speech_end`` are frames: of the first of the open segment, and behind its
    last so far. ``frames`` is how many have come.
    """

    rules: EndpointRules
    frames: int = 0
    is_open: bool = False
    speech_start: int = 0
    speech_end: int = 0
    _loud: deque[int] = field(default_factory=deque)
    _paused: bool = False

    @property
    def has_gone_quiet(self) -> bool:
        """Whether the last frame was no speech."""
        return not self.is_open or self.speech_end < self.frames

    @property
    def is_silent(self) -> bool:
        """Whether speech has paused for as long as a segment needs to end, perhaps."""
        return not self.is_open or self._paused

    def feed(self, probability: float) -> Signal:
        """Take the next frame."""
        frame = self.frames
        self.frames += 1
        while self._loud and self._loud[0] <= frame - ONSET_SPAN:
            self._loud.popleft()
        if probability >= self.rules.threshold:
            self._loud.append(frame)
        if not self.is_open:
            return self._listen()
        if self._lasts(frame, probability):
            self.speech_end = frame + 1
            resumed, self._paused = self._paused, False
            return Signal.RESUMED if resumed else Signal.NONE
        return self._silence(frame + 1 - self.speech_end, probability)

    def cut(self, frame: int) -> None:
        """End the segment before a frame, where the next one begins."""
        self.speech_start = frame

    def end(self) -> None:
        """End the segment in its silence; what has begun to be loud may open the next one."""
        self.is_open = False

    def close(self) -> None:
        """End the segment here, without silence."""
        self.is_open, self._paused = False, False
        self._loud.clear()

    def _lasts(self, frame: int, probability: float) -> bool:
        """Whether a frame goes on with the speech: after a silence, a lone click does not."""
        if probability < self.rules.threshold:
            return self.speech_end == frame and probability >= self.rules.neg_threshold
        return not self._paused or len(self._loud) >= self.rules.onset

    def _listen(self) -> Signal:
        if len(self._loud) < self.rules.onset:
            return Signal.NONE
        self.is_open, self._paused = True, False
        self.speech_start, self.speech_end = self._loud[0], self.frames
        return Signal.OPENED

    def _silence(self, frames: int, probability: float) -> Signal:
        """What a frame means behind so many, itself included, that were no speech."""
        is_over = probability < self.rules.threshold
        if frames >= self.rules.most and is_over:
            self.end()
            return Signal.ENDED
        due = self.rules.eager if probability < self.rules.quiet else self.rules.soon
        if frames >= due and not self._paused:
            self._paused = True
            self._loud.clear()
            return Signal.PAUSED
        if frames >= self.rules.silence and is_over:
            return Signal.SHOULD_END
        if frames >= self.rules.soon and not self._loud:
            return Signal.MAY_END
        return Signal.NONE


class SpeechMemory:
    """Which of the last frames were speech, in seconds of the session."""

    def __init__(self, threshold: float, remembered_s: float) -> None:
        self._threshold = threshold
        self._flags: deque[bool] = deque(maxlen=round(remembered_s / FRAME_S))
        self._frames = 0
        self.end_s = 0.0

    def add(self, probability: float, speech_end: int) -> None:
        """Remember the next frame; speech has ended before frame ``speech_end`` so far."""
        self._flags.append(probability >= self._threshold)
        self._frames += 1
        self.end_s = speech_end * FRAME_S

    def between(self, start_s: float, end_s: float) -> float:
        """Seconds of speech between two times."""
        first = self._frames - len(self._flags)
        start, stop = round(start_s / FRAME_S) - first, round(end_s / FRAME_S) - first
        return FRAME_S * sum(islice(self._flags, max(start, 0), max(stop, 0)))


def frames_of(milliseconds: float) -> int:
    """Milliseconds as the next whole number of frames, at least one."""
    return max(1, round(milliseconds * SAMPLE_RATE_HZ / (1000 * VAD_FRAME_SAMPLES)))
