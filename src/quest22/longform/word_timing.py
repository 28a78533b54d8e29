"""Words of segments that were joined from several windows. Knows nothing of how they were joined.

Each text token brings its times from the window in which it was kept, so a word that two windows
share begins where the one heard it begin and ends where the other heard it end. Where one window's
tokens follow another's, none begins before the one in front of it, and none lasts into the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from quest22.decoding.words import TokenTimes, WordTimer, last_word_end
from quest22.errors import EngineError
from quest22.longform.window_passes import DecodingPass, Vocabulary, WindowPasses
from quest22.records import Segment

Seconds = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TimedSegment:
    """A segment, the places of its tokens among all text tokens, and the pass most are from.

    ``pass_start_s`` is where that pass begins in the clip.
    """

    segment: Segment
    places: Sequence[int]
    source: DecodingPass
    pass_start_s: float


@dataclass(frozen=True, slots=True, eq=False)
class ClipTimes:
    """Times of all text tokens of a clip: each from the start of its pass, which is ``offsets``."""

    offsets: Seconds
    starts: Seconds
    ends: Seconds
    probabilities: Seconds

    @classmethod
    def of(cls, windows: Sequence[WindowPasses], vocabulary: Vocabulary) -> ClipTimes:
        """Raises :class:`EngineError` where the engine did not align what it was asked to."""
        rows: list[tuple[float, float, float, float]] = []
        for heard in windows:
            for passed in heard.passes:
                offset_s = heard.start_s(passed)
                times = _times(passed, offset_s, vocabulary)
                rows += [
                    (offset_s, start_s, end_s, share)
                    for (start_s, end_s), share in zip(
                        times.spans_s, times.probabilities, strict=True
                    )
                ]
        return cls(*np.array(rows, np.float64).reshape(-1, 4).T)

    def in_order(self, places: Sequence[int]) -> ClipTimes:
        """Those of some tokens, in the order of the text, so that they follow one another."""
        picked = list(places)
        offsets, starts, ends = self.offsets[picked], self.starts[picked], self.ends[picked]
        begun = np.maximum.accumulate(offsets + starts)
        late = begun > offsets + starts
        starts = np.where(late, begun - offsets, starts)
        following = np.append(begun[1:], np.inf)
        ended = np.maximum(np.minimum(offsets + ends, following), begun)
        ends = np.where(ended != offsets + ends, ended - offsets, ends)
        return ClipTimes(offsets, starts, ends, self.probabilities[picked])

    def part(self, tokens: slice, offset_s: float) -> TokenTimes:
        """Those of some tokens, from ``offset_s`` on."""
        shift = self.offsets[tokens] - offset_s
        starts, ends = self.starts[tokens] + shift, self.ends[tokens] + shift
        spans = tuple(zip(starts.tolist(), ends.tolist(), strict=True))
        return TokenTimes(offset_s, spans, tuple(self.probabilities[tokens].tolist()))


def add_words(joined: Sequence[TimedSegment], times: ClipTimes, timer: WordTimer) -> list[Segment]:
    """The segments with their words; those of one pass are mended together."""
    ordered = times.in_order([place for each in joined for place in each.places])
    segments: list[Segment] = []
    begun, last_speech_s = 0, 0.0
    for _, same in groupby(joined, key=lambda each: id(each.source)):
        group = list(same)
        first = group[0]
        stop = begun + sum(len(each.places) for each in group)
        part = ordered.part(slice(begun, stop), first.pass_start_s)
        language = first.source.hypothesis.language
        found = timer.add_words([each.segment for each in group], part, language, last_speech_s)
        begun, last_speech_s = stop, last_word_end(found) or last_speech_s
        segments += found
    return list(_absorbed(segments))


def _absorbed(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Segments that have words; the text of one without is the end of a word before it."""
    last: Segment | None = None
    for segment in segments:
        if last is None or segment.words:
            if last is not None:
                yield last
            last = segment
        else:
            text, tokens = last.text + segment.text, last.tokens + segment.tokens
            last = replace(last, text=text, tokens=tokens)
    if last is not None:
        yield last


def _times(passed: DecodingPass, offset_s: float, vocabulary: Vocabulary) -> TokenTimes:
    text = [token for token in passed.tokens if token < vocabulary.eot]
    alignment = passed.hypothesis.alignment
    if alignment is None or len(alignment.probabilities) != len(text):
        raise EngineError("the engine gave no times of words: expected one for each text token")
    return TokenTimes.of(alignment, offset_s)
