"""Where speech stood in a clip, when all else was cut away: times there and back.

Knows stretches and times; nothing of how they were found.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import replace

from quest22.longform.hallucination import NO_SPEECH
from quest22.records import SAMPLE_RATE_HZ, DroppedSegment, Segment, Word


class SpeechTimeline:
    """Stretches of a clip that were kept, strung together; in samples.

    Times are rounded to hundredths, as Whisper's are. The rules are faster-whisper's
    (``restore_speech_timestamps``): a time on the seam of two stretches is the end of the first
    where something ends, and the start of the second where something starts.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._kept: list[int] = []  # how much is kept up to the end of each stretch

    def __bool__(self) -> bool:
        return bool(self._starts)

    def add(self, start: int, length: int) -> None:
        """The next stretch, or what follows on the last one."""
        if not length:
            return
        kept = (self._kept[-1] if self._kept else 0) + length
        if self._ends and self._ends[-1] == start:
            self._ends[-1], self._kept[-1] = start + length, kept
            return
        self._starts.append(start)
        self._ends.append(start + length)
        self._kept.append(kept)

    def start_s(self, time_s: float) -> float:
        """Where something that starts then starts in the clip."""
        return self._within(self._stretch(time_s), time_s)

    def end_s(self, time_s: float) -> float:
        """Where something that ends then ends in the clip."""
        at = bisect_left(self._kept, round(time_s * SAMPLE_RATE_HZ))
        return self._within(min(at, len(self._kept) - 1), time_s)

    def segment(self, segment: Segment) -> Segment:
        """The segment with its times in the clip; from its words' where it has any."""
        words = None if segment.words is None else tuple(self._word(each) for each in segment.words)
        start_s, end_s = self.start_s(segment.start_s), self.end_s(segment.end_s)
        if words:
            start_s, end_s = words[0].start_s, words[-1].end_s
        return replace(segment, start_s=start_s, end_s=max(start_s, end_s), words=words)

    def dropped(self, dropped: DroppedSegment) -> DroppedSegment:
        """What was dropped of the kept sound, with its times in the clip."""
        start_s = self.start_s(dropped.start_s)
        return replace(dropped, start_s=start_s, end_s=max(start_s, self.end_s(dropped.end_s)))

    def silences(self, total: int) -> Iterator[DroppedSegment]:
        """What of a clip of ``total`` samples was not kept."""
        for start, end in zip([0, *self._ends], [*self._starts, total], strict=True):
            if start < end:
                yield DroppedSegment(start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ, NO_SPEECH)

    def _word(self, word: Word) -> Word:
        """A word belongs to one stretch, that of its middle, and does not reach out of it."""
        at = self._stretch((word.start_s + word.end_s) / 2)
        start_s, end_s = self._within(at, word.start_s), self._within(at, word.end_s)
        return replace(word, start_s=start_s, end_s=end_s)

    def _stretch(self, time_s: float) -> int:
        at = bisect_right(self._kept, round(time_s * SAMPLE_RATE_HZ))
        return min(at, len(self._kept) - 1)

    def _within(self, at: int, time_s: float) -> float:
        before = self._kept[at] - (self._ends[at] - self._starts[at])
        there_s = time_s + (self._starts[at] - before) / SAMPLE_RATE_HZ
        first_s, last_s = self._starts[at] / SAMPLE_RATE_HZ, self._ends[at] / SAMPLE_RATE_HZ
        return round(min(max(there_s, first_s), last_s), 2)
