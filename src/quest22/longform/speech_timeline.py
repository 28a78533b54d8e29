"""Maps times in the speech of a clip, joined without its silences, back to times in the clip.

Knows spans of speech and times, but not how they were detected.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace

from quest22.longform.hallucination import NO_SPEECH
from quest22.longform.pause_splitting import MIN_LEFT_OUT_S
from quest22.records import SAMPLE_RATE_HZ, DroppedSegment, Segment, Word

ROUNDING_S = 0.005
"""By so much a time that is rounded to hundredths may be early."""


class SpeechTimeline:
    """The speech spans of a clip, joined end to end; in samples.

    Times are rounded to hundredths, as Whisper's are, but not beyond the end of their span. The
    rules are faster-whisper's (``restore_speech_timestamps``): on the seam of two spans, an end
    time belongs to the first and a start time to the second.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._totals: list[int] = []  # samples of speech up to the end of each span

    def __bool__(self) -> bool:
        return bool(self._starts)

    @property
    def total(self) -> int:
        """Samples of speech so far."""
        return self._totals[-1] if self._totals else 0

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each span starts and ends in the clip."""
        return [*zip(self._starts, self._ends, strict=True)]

    def add(self, start: int, length: int) -> None:
        """Add the next span, or the continuation of the last one."""
        if not length:
            return
        total = self.total + length
        if self._ends and self._ends[-1] == start:
            self._ends[-1], self._totals[-1] = start + length, total
            return
        self._starts.append(start)
        self._ends.append(start + length)
        self._totals.append(total)

    def start_s(self, time_s: float) -> float:
        """The time in the clip of a start at this time in the speech."""
        return self._within(self._span(time_s), time_s)

    def end_s(self, time_s: float) -> float:
        """The time in the clip of an end at this time in the speech."""
        at = bisect_left(self._totals, round(time_s * SAMPLE_RATE_HZ))
        return self._within(min(at, len(self._totals) - 1), time_s)

    def segment(self, segment: Segment, *, by_words: bool = True) -> Segment:
        """The segment with its times in the clip; ``by_words``: those of its words, if any."""
        words = None if segment.words is None else tuple(self._words(segment.words))
        start_s, end_s = self.start_s(segment.start_s), self.end_s(segment.end_s)
        if words and by_words:
            start_s, end_s = words[0].start_s, words[-1].end_s
        return replace(segment, start_s=start_s, end_s=max(start_s, end_s), words=words)

    def dropped(self, dropped: DroppedSegment) -> DroppedSegment:
        """A span dropped from the speech, with its times in the clip."""
        start_s = self.start_s(dropped.start_s)
        return replace(dropped, start_s=start_s, end_s=max(start_s, self.end_s(dropped.end_s)))

    def silences(self, clip_samples: int) -> Iterator[DroppedSegment]:
        """The spans without speech in a clip of ``clip_samples``."""
        for start, end in zip([0, *self._ends], [*self._starts, clip_samples], strict=True):
            if start < end:
                yield DroppedSegment(start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ, NO_SPEECH)

    def is_apart(self, before_s: float, after_s: float) -> bool:
        """Whether long enough audio between two times in the clip was left out.

        A time of a word may be rounded to just before the span that the word is in.
        """
        least = MIN_LEFT_OUT_S * SAMPLE_RATE_HZ
        first = bisect_left(self._ends, round(before_s * SAMPLE_RATE_HZ))
        last = bisect_right(self._starts, round((after_s + ROUNDING_S) * SAMPLE_RATE_HZ))
        gaps = zip(self._ends[first : last - 1], self._starts[first + 1 : last], strict=True)
        return any(start - end >= least for end, start in gaps)

    def _words(self, words: Iterable[Word]) -> Iterator[Word]:
        """Each word belongs to the span of its middle and is clipped to it, in order."""
        latest = 0
        for word in words:
            latest = max(latest, self._span((word.start_s + word.end_s) / 2))
            start_s, end_s = self._within(latest, word.start_s), self._within(latest, word.end_s)
            yield replace(word, start_s=start_s, end_s=end_s)

    def _span(self, time_s: float) -> int:
        at = bisect_right(self._totals, round(time_s * SAMPLE_RATE_HZ))
        return min(at, len(self._totals) - 1)

    def _within(self, at: int, time_s: float) -> float:
        before = self._totals[at] - (self._ends[at] - self._starts[at])
        there_s = time_s + (self._starts[at] - before) / SAMPLE_RATE_HZ
        first_s, last_s = self._starts[at] / SAMPLE_RATE_HZ, self._ends[at] / SAMPLE_RATE_HZ
        return min(round(min(max(there_s, first_s), last_s), 2), last_s)
