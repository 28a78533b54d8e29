"""Detects hallucinated segments: loops, and more text than anyone can say.

Knows no engine. This goes beyond openai/whisper, which keeps such text after the last temperature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quest22.decoding.fallback import Fallback
from quest22.records import DroppedSegment, Hypothesis, Segment
from quest22.settings import HallucinationSettings

NO_SPEECH = "no speech"
LOOP = "loop"
HALLUCINATION = "unlikely words in silence"
SPEAKING_RATE = "impossible speaking rate"
SHORTEST_S = 1.0
"""Speaking rates are measured over at least a second: times of short segments are inexact."""


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
        duration_s = max(segment.end_s - segment.start_s, SHORTEST_S)
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
