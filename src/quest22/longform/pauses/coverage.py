"""Finds speech that no segment covers, and segments that say too little for their speech.

With timestamps, Whisper sometimes ends a window early, or jumps over a sentence, but says where. A
voice detector sees the speech there. And a segment with much less text than the recording's usual
for so many seconds of speech hides a sentence that was skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from quest22.checkpoint.word_splitting import UNSPACED
from quest22.longform.pauses.cutting import FRAME_S
from quest22.records import Segment

MIN_UNCOVERED_S = 1.0
SPAN_PAD_S = 0.3
TOLERANCE_S = 0.1
"""Speech this near to a segment counts as covered: timestamps are that exact."""

MIN_SPAN_S = 0.5
THIN = 0.6
MIN_THIN_SPEECH_S = 3.0
MIN_MEASURED_SPEECH_S = 2.0
MIN_MEASURED_SEGMENTS = 5
RATE_WINDOWS = 8
"""Windows wait until enough segments are measured, but never for more windows than this."""

USUAL_LETTERS_PER_S = 14.0
USUAL_CHARACTERS_PER_S = 5.0
"""In languages without spaces; both apply to recordings of fewer than five segments."""

Span = tuple[float, float]
"""Start and end in seconds."""

Flags = NDArray[np.bool_]
"""Whether each frame of 32 ms is speech."""


def uncovered(is_speech: Flags, segments: Sequence[Span], duration_s: float) -> list[Span]:
    """Spans with at least a second of speech outside all segments.

    ``is_speech`` are the frames of the audio, ``[frames]``; times count from its start. Segments
    are in order.
    """
    open_frames = is_speech.copy()
    for start_s, end_s in segments:
        first = max(0, int((start_s - TOLERANCE_S) / FRAME_S))
        open_frames[first : int((end_s + TOLERANCE_S) / FRAME_S) + 1] = False
    bounds = [0.0, *(time_s for span in segments for time_s in span), duration_s]
    spans = []
    for start_s, end_s in zip(bounds[::2], bounds[1::2], strict=True):
        first = int(start_s / FRAME_S)
        speech = np.flatnonzero(open_frames[first : int(end_s / FRAME_S) + 1])
        if len(speech) * FRAME_S < MIN_UNCOVERED_S:
            continue
        from_s = max(start_s, (first + int(speech[0])) * FRAME_S - SPAN_PAD_S)
        to_s = min(end_s, (first + int(speech[-1]) + 1) * FRAME_S + SPAN_PAD_S)
        if to_s - from_s >= MIN_SPAN_S:
            spans.append((from_s, to_s))
    return spans


def speech_s(is_speech: Flags, start_s: float, end_s: float) -> float:
    """Seconds of speech in a span."""
    return float(is_speech[int(start_s / FRAME_S) : int(end_s / FRAME_S) + 1].sum() * FRAME_S)


class TextRate:
    """How much text a recording usually has for a second of speech: a median over segments."""

    def __init__(self) -> None:
        self._rates: list[float] = []

    @property
    def known(self) -> bool:
        """Whether enough segments were measured."""
        return len(self._rates) >= MIN_MEASURED_SEGMENTS

    def add(self, segments: Sequence[Segment], is_speech: Flags) -> None:
        """Measure the segments of a window, whose times count from its start."""
        for segment in segments:
            spoken_s = speech_s(is_speech, segment.start_s, segment.end_s)
            if spoken_s >= MIN_MEASURED_SPEECH_S:
                self._rates.append(len(segment.text.strip()) / spoken_s)

    def thin(self, segments: Sequence[Segment], is_speech: Flags) -> list[Segment]:
        """The segments with too little text for their speech."""
        return [each for each in segments if self._is_thin(each, is_speech)]

    def _is_thin(self, segment: Segment, is_speech: Flags) -> bool:
        spoken_s = speech_s(is_speech, segment.start_s, segment.end_s)
        if spoken_s < MIN_THIN_SPEECH_S:
            return False
        usual = USUAL_CHARACTERS_PER_S if segment.language in UNSPACED else USUAL_LETTERS_PER_S
        usual = median(self._rates) if self.known else usual
        return len(segment.text.strip()) < THIN * usual * spoken_s
