"""Finds segments that are probably hallucinated, because silence surrounds them.

Follows ``hallucination_silence_threshold`` of openai/whisper's ``transcribe``: words that are very
improbable, very short or very long are anomalies; a segment of anomalies after silence, or between
silences, is dropped, and the next window begins at the speech after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quest22.records import FRAMES_PER_S, WINDOW_S, Segment, Word
from quest22.settings import APPEND_PUNCTUATIONS, PREPEND_PUNCTUATIONS

PUNCTUATION = PREPEND_PUNCTUATIONS + APPEND_PUNCTUATIONS
MOST_WORDS = 8
"""The number of words at the start of a segment that decide whether it is an anomaly."""


@dataclass(frozen=True, slots=True)
class SilenceContext:
    """A window's bounds, in seconds of the clip; speech before it ended at ``last_speech_s``."""

    start_s: float
    duration_s: float
    last_speech_s: float
    clip_s: float
    threshold_s: float

    @property
    def full_end_s(self) -> float:
        """Where a full window would end."""
        return self.start_s + WINDOW_S


@dataclass(frozen=True, slots=True)
class KeptSegments:
    """How many segments remain, and the frame of the next window; None: unchanged."""

    count: int
    seek: int | None = None


def drop_in_silence(segments: Sequence[Segment], context: SilenceContext) -> KeptSegments:
    """The segments of a window to keep: those before the first hallucinated one."""
    gap_s = _silence_before_the_first(segments, context)
    if gap_s > context.threshold_s:
        return KeptSegments(0, round(context.start_s * FRAMES_PER_S) + round(gap_s * FRAMES_PER_S))
    speech_s = context.last_speech_s
    for at, segment in enumerate(segments):
        if not segment.words:
            continue
        if is_anomaly(segment) and _lies_in_silence(segments, at, speech_s, context):
            return KeptSegments(at, _seek_behind(segment, context))
        speech_s = segment.end_s
    return KeptSegments(len(segments))


def is_anomaly(segment: Segment | None) -> bool:
    """Whether the first words of a segment are unlikely to have been spoken."""
    if segment is None or not segment.words:
        return False
    words = [word for word in segment.words if word.text not in PUNCTUATION][:MOST_WORDS]
    score = sum(map(_anomaly, words))
    return score >= 3 or score + 0.01 >= len(words)


def _anomaly(word: Word) -> float:
    duration_s = word.end_s - word.start_s
    unlikely = 1.0 if word.probability < 0.15 else 0.0
    return unlikely + 15 * max(0.133 - duration_s, 0.0) + max(duration_s - 2.0, 0.0)


def _silence_before_the_first(segments: Sequence[Segment], context: SilenceContext) -> float:
    """Seconds before the first segment if it is an anomaly, else 0."""
    first = _next_with_words(segments)
    return first.start_s - context.start_s if first and is_anomaly(first) else 0.0


def _lies_in_silence(
    segments: Sequence[Segment], at: int, speech_s: float, context: SilenceContext
) -> bool:
    segment, following = segments[at], _next_with_words(segments[at + 1 :])
    threshold_s = context.threshold_s
    next_s = context.start_s + context.duration_s
    if following and following.words:
        next_s = following.words[0].start_s
    before = (
        segment.start_s - speech_s > threshold_s
        or segment.start_s < threshold_s
        or segment.start_s - context.start_s < 2.0
    )
    after = (
        next_s - segment.end_s > threshold_s
        or is_anomaly(following)
        or context.full_end_s - segment.end_s < 2.0
    )
    return before and after


def _seek_behind(segment: Segment, context: SilenceContext) -> int:
    if context.clip_s - segment.end_s < context.threshold_s:
        return round(context.clip_s * FRAMES_PER_S)
    return round(max(context.start_s + 1, segment.start_s) * FRAMES_PER_S)


def _next_with_words(segments: Sequence[Segment]) -> Segment | None:
    return next((segment for segment in segments if segment.words), None)
