"""Detects hallucinated segments: loops, more text than anyone can say, unlikely words in silence.

Knows no engine. :class:`HallucinationFilter` goes beyond openai/whisper, which keeps loops after
the last temperature.

:func:`drop_in_silence` follows ``hallucination_silence_threshold`` of openai/whisper's
``transcribe``: words that are very improbable, very short or very long are anomalies; a segment of
anomalies after silence, or between silences, is dropped, and the next window begins at the speech
after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quest22.decoding.fallback import Fallback
from quest22.records import FRAMES_PER_S, WINDOW_S, DroppedSegment, Hypothesis, Segment, Word
from quest22.settings import APPEND_PUNCTUATIONS, PREPEND_PUNCTUATIONS, HallucinationSettings

NO_SPEECH = "no speech"
LOOP = "loop"
HALLUCINATION = "unlikely words in silence"
SPEAKING_RATE = "impossible speaking rate"
MIN_RATE_SPAN_S = 1.0
"""Speaking rates are measured over at least a second: times of short segments are inexact."""

PUNCTUATION = PREPEND_PUNCTUATIONS + APPEND_PUNCTUATIONS
MAX_ANOMALY_WORDS = 8
"""The number of words at the start of a segment that decide whether it is an anomaly."""


@dataclass(frozen=True, slots=True)
class HallucinationFilter:
    """Decides which segments are hallucinated, by thresholds and by the fallback's rules."""

    fallback: Fallback
    thresholds: HallucinationSettings

    def reason(self, segment: Segment) -> str | None:
        """Why a segment is dropped; None: it is accepted. ``tokens`` are searched for loops."""
        if self._is_loop(segment):
            return LOOP
        return SPEAKING_RATE if self._is_too_fast(segment) else None

    def window_reason(self, hypothesis: Hypothesis, segment: Segment) -> str | None:
        """Why a window is dropped as a whole; ``segment`` holds all of its text."""
        return NO_SPEECH if self.fallback.is_silence(hypothesis) else self.reason(segment)

    def _is_loop(self, segment: Segment) -> bool:
        most = self.thresholds.max_repeats
        repetitive = most is not None and self.fallback.is_repetitive(segment.text)
        return most is not None and repetitive and longest_repetition(segment.tokens) > most

    def _is_too_fast(self, segment: Segment) -> bool:
        fastest = self.thresholds.max_speaking_rate
        duration_s = max(segment.end_s - segment.start_s, MIN_RATE_SPAN_S)
        return fastest is not None and len(segment.text.strip()) > fastest * duration_s


def dropped(segment: Segment, reason: str) -> DroppedSegment:
    """The record of a segment that is dropped."""
    return DroppedSegment(segment.start_s, segment.end_s, reason, segment.text.strip())


def longest_repetition(tokens: Sequence[int]) -> int:
    """The most consecutive repetitions of an n-gram, for any n; 1: none is repeated."""
    most = 1 if tokens else 0
    for size in range(1, len(tokens) // 2 + 1):
        streak = 0
        for token, later in zip(tokens, tokens[size:], strict=False):
            streak = streak + 1 if token == later else 0
            most = max(most, streak // size + 1)
    return most


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
    words = [word for word in segment.words if word.text not in PUNCTUATION][:MAX_ANOMALY_WORDS]
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
