"""Word timestamps of segments that were joined from several windows.

Knows nothing of how they were joined. Each text token has its times from the window it was taken
from, so a word split across two windows starts at the time from the first and ends at the time from
the second. Where tokens of one window follow those of another, their times are made to increase and
not to overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from quest22.decoding.words import TokenTimes, WordTimer, last_word_end
from quest22.errors import EngineError
from quest22.longform.window_passes import DecodingPass, Vocabulary, WindowPasses
from quest22.records import Segment


@dataclass(frozen=True, slots=True, eq=False)
class TimedSegment:
    """A segment, the numbers of its text tokens in the clip, and the pass of most of them.

    ``pass_start_s`` is where that pass begins in the clip.
    """

    segment: Segment
    positions: Sequence[int]
    source: DecodingPass
    pass_start_s: float


class WordAdder:
    """Adds words to the segments of one clip, in order.

    Segments of one pass are timed together, once all of them are there. A segment without a word of
    its own is the end of the previous word, and joins its segment.
    """

    def __init__(self, timer: WordTimer, vocabulary: Vocabulary) -> None:
        self._timer = timer
        self._vocabulary = vocabulary
        self._times: list[tuple[float, float, float, float]] = []
        self._group: list[TimedSegment] = []  # all of one pass
        self._latest_start_s = -np.inf
        self._last_speech_s = 0.0
        self._last: Segment | None = None  # may absorb the text of the next

    def add_window(self, window: WindowPasses) -> None:
        """Add the times of the next window's text tokens.

        Raises :class:`EngineError` if the engine did not return a requested alignment.
        """
        for source in window.passes:
            offset_s = window.start_s(source)
            times = _times(source, offset_s, self._vocabulary)
            self._times += [
                (offset_s, start_s, end_s, probability)
                for (start_s, end_s), probability in zip(
                    times.spans_s, times.probabilities, strict=True
                )
            ]

    def add(self, segment: TimedSegment) -> list[Segment]:
        """Add the next segment; return those whose words are final."""
        done: list[Segment] = []
        if self._group and segment.source is not self._group[0].source:
            done = self._finish_group(following=segment.positions[0])
        self._group.append(segment)
        return done

    def flush(self) -> list[Segment]:
        """After the last segment: return the rest."""
        done = self._finish_group(following=None) if self._group else []
        return done if self._last is None else [*done, self._last]

    def _finish_group(self, following: int | None) -> list[Segment]:
        group, self._group = self._group, []
        positions = [position for each in group for position in each.positions]
        times = self._in_order(positions, following, group[0].pass_start_s)
        language = group[0].source.hypothesis.language
        segments = self._timer.add_words(
            [each.segment for each in group], times, language, self._last_speech_s
        )
        self._last_speech_s = last_word_end(segments) or self._last_speech_s
        return list(self._with_words(segments))

    def _in_order(
        self, positions: Sequence[int], following: int | None, offset_s: float
    ) -> TokenTimes:
        """Times of some tokens, from ``offset_s`` on, made to increase.

        ``following`` is the token after them in the text.
        """
        picked = [*positions] if following is None else [*positions, following]
        rows = np.array([self._times[at] for at in picked], np.float64).reshape(-1, 4)
        offsets, starts, ends, probabilities = rows.T
        begun = np.maximum.accumulate(np.append(self._latest_start_s, offsets + starts))[1:]
        starts = np.where(begun > offsets + starts, begun - offsets, starts)
        until = np.append(begun[1:], np.inf)
        ended = np.maximum(np.minimum(offsets + ends, until), begun)
        ends = np.where(ended != offsets + ends, ended - offsets, ends)
        ends = np.maximum(ends, starts)  # which rounding may have put behind it
        count = len(positions)
        self._latest_start_s = begun[count - 1]
        shift = offsets[:count] - offset_s
        shifted = (starts[:count] + shift).tolist(), (ends[:count] + shift).tolist()
        spans = tuple(zip(*shifted, strict=True))
        return TokenTimes(offset_s, spans, tuple(probabilities[:count].tolist()))

    def _with_words(self, segments: Iterable[Segment]) -> Iterator[Segment]:
        """Segments with words; the text of a segment without words moves to the previous one."""
        for segment in segments:
            last = self._last
            if last is None or segment.words:
                if last is not None:
                    yield last
                self._last = segment
            else:
                text, tokens = last.text + segment.text, last.tokens + segment.tokens
                self._last = replace(last, text=text, tokens=tokens)


def _times(source: DecodingPass, offset_s: float, vocabulary: Vocabulary) -> TokenTimes:
    text = [token for token in source.tokens if token < vocabulary.eot]
    alignment = source.hypothesis.alignment
    if alignment is None or len(alignment.probabilities) != len(text):
        raise EngineError(
            "the engine returned no word timestamps: expected one for each text token"
        )
    return TokenTimes.of(alignment, offset_s)
