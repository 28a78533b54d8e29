"""Corrects words that last too long. Knows records, but no tokens.

Dynamic time warping assigns every moment to some word, so the first word after a pause and the
last one before it may include the pause. The corrections are those of openai/whisper
(``add_word_timestamps`` in ``timing.py``), in the same order and with the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quest22.records import Segment, Word

MAX_MEDIAN_S = 0.7
TRUSTED_OVERLAP_S = 0.5
"""Beyond this overhang of a word over its segment, the segment's own time is used instead."""


@dataclass(frozen=True, slots=True)
class WordDurations:
    """The median duration of the words of a window; 0 if no word has any."""

    median_s: float

    @property
    def longest_s(self) -> float:
        """A longer word next to a pause includes the pause."""
        return self.median_s * 2

    @classmethod
    def of(cls, lengths_s: Sequence[float]) -> WordDurations:
        lasting = [length_s for length_s in lengths_s if length_s]
        return cls(min(MAX_MEDIAN_S, float(np.median(lasting))) if lasting else 0.0)

    def fit(self, segment: Segment, words: Sequence[Word], last_speech_s: float) -> Segment:
        """A segment with its words; the clip's speech before it ended at ``last_speech_s``."""
        if not words:
            return replace(segment, words=())
        words = self._after_pause(list(words), last_speech_s)
        start_s, first = self._start(segment, words[0])
        words[0] = first
        end_s, last = self._end(segment, words[-1])
        words[-1] = last
        return replace(segment, start_s=start_s, end_s=end_s, words=tuple(words))

    def _after_pause(self, words: list[Word], last_speech_s: float) -> list[Word]:
        """Shorten the first two words after a pause to what other words may last."""
        first, second = words[0], words[1] if len(words) > 1 else None
        longest_s = self.longest_s
        if first.end_s - last_speech_s <= self.median_s * 4 or not (
            first.end_s - first.start_s > longest_s
            or (second and second.end_s - first.start_s > longest_s * 2)
        ):
            return words
        if second and second.end_s - second.start_s > longest_s:
            border_s = max(second.end_s / 2, second.end_s - longest_s)
            first = replace(first, end_s=border_s)
            words[1] = replace(second, start_s=border_s)
        words[0] = replace(first, start_s=max(0.0, first.end_s - longest_s))
        return words

    def _start(self, segment: Segment, first: Word) -> tuple[float, Word]:
        """The segment's start, and its first word."""
        if first.start_s < segment.start_s - TRUSTED_OVERLAP_S and segment.start_s < first.end_s:
            start_s = max(0.0, min(first.end_s - self.median_s, segment.start_s))
            return segment.start_s, replace(first, start_s=start_s)
        return first.start_s, first

    def _end(self, segment: Segment, last: Word) -> tuple[float, Word]:
        """The segment's end, and its last word."""
        if segment.end_s > last.start_s and segment.end_s + TRUSTED_OVERLAP_S < last.end_s:
            end_s = max(last.start_s + self.median_s, segment.end_s)
            return segment.end_s, replace(last, end_s=end_s)
        return last.end_s, last
