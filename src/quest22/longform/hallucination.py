"""Which segments are made up: loops, and more text than a voice can say. Knows no engine.

These go beyond openai/whisper, which keeps what no temperature could mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quest22.decoding.fallback import Fallback
from quest22.records import DroppedSegment, Hypothesis, Segment

NO_SPEECH = "no speech"
LOOP = "loop"
HALLUCINATION = "unlikely words in silence"
SPEAKING_RATE = "impossible speaking rate"
SHORTEST_S = 1.0
"""A speaking rate is told over a second at least: times of short segments are not exact."""


@dataclass(frozen=True, slots=True)
class HallucinationFilter:
    """Judges what was heard, by a clip's fallback and its thresholds."""

    fallback: Fallback

    def reason(self, segment: Segment) -> str | None:
        """Why a segment is not believed; None: it is. ``tokens`` are looked at for loops."""
        if self._is_loop(segment):
            return LOOP
        return SPEAKING_RATE if self._is_too_fast(segment) else None

    def _is_loop(self, segment: Segment) -> bool:
        most = self.fallback.thresholds.max_repeats
        repetitive = most is not None and self.fallback.is_repetitive(segment.text)
        return most is not None and repetitive and longest_repetition(segment.tokens) > most

    def _is_too_fast(self, segment: Segment) -> bool:
        fastest = self.fallback.thresholds.max_speaking_rate
        duration_s = max(segment.end_s - segment.start_s, SHORTEST_S)
        return fastest is not None and len(segment.text.strip()) > fastest * duration_s

    def window_reason(self, heard: Hypothesis, whole: Segment) -> str | None:
        """Why a window as a whole is not believed."""
        return NO_SPEECH if self.fallback.is_silence(heard) else self.reason(whole)


def dropped(segment: Segment, reason: str) -> DroppedSegment:
    """What is put down of a segment that is not believed."""
    return DroppedSegment(segment.start_s, segment.end_s, reason, segment.text.strip())


def longest_repetition(tokens: Sequence[int]) -> int:
    """How often in a row the same n-gram comes at most, for any n; 1: none comes twice."""
    most = 1 if tokens else 0
    for size in range(1, len(tokens) // 2 + 1):
        streak = 0
        for token, later in zip(tokens, tokens[size:], strict=False):
            streak = streak + 1 if token == later else 0
            most = max(most, streak // size + 1)
    return most
