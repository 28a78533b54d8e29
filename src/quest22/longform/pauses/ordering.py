"""Puts the segments of a window in order, without overlaps, and separates their texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from quest22.checkpoint.word_splitting import UNSPACED
from quest22.records import Segment, Word


def in_order(segments: Iterable[Segment]) -> list[Segment]:
    """Segments by start, each of which ends at the latest when the next one starts.

    One that would not start later than its predecessor is joined to it.
    """
    ordered: list[Segment] = []
    for segment in sorted(segments, key=lambda each: each.start_s):
        last = ordered[-1] if ordered else None
        if last is None or segment.start_s >= last.end_s:
            ordered.append(segment)
        elif segment.start_s > last.start_s:
            ordered[-1] = _ending_by(last, segment.start_s)
            ordered.append(segment)
        else:
            ordered[-1] = _joined(last, segment)
    return ordered


def spaced(segment: Segment, before: str) -> Segment:
    """The segment, with a space before it if its language has spaces and none separates it.

    ``before`` is the text before it.
    """
    text = segment.text
    if segment.language in UNSPACED or before[-1:].isspace() or text[:1].isspace():
        return segment
    words = segment.words
    if words:
        words = (replace(words[0], text=" " + words[0].text), *words[1:])
    return replace(segment, text=" " + text, words=words)


def timed_by_words(segment: Segment, from_s: float) -> Segment:
    """The segment with the times of its words, if it has any; none is before ``from_s``."""
    if not segment.words:
        return segment
    words = tuple(_word_from(each, from_s) for each in segment.words)
    return replace(segment, start_s=words[0].start_s, end_s=words[-1].end_s, words=words)


def _ending_by(segment: Segment, time_s: float) -> Segment:
    words = segment.words and tuple(_word_by(each, time_s) for each in segment.words)
    return replace(segment, end_s=min(segment.end_s, time_s), words=words)


def _word_by(word: Word, time_s: float) -> Word:
    return replace(word, start_s=min(word.start_s, time_s), end_s=min(word.end_s, time_s))


def _joined(segment: Segment, later: Segment) -> Segment:
    later = spaced(later, segment.text)
    words = None
    if segment.words is not None and later.words is not None:
        words = segment.words + tuple(_word_from(each, segment.end_s) for each in later.words)
    return replace(
        segment,
        end_s=max(segment.end_s, later.end_s),
        text=segment.text + later.text,
        tokens=segment.tokens + later.tokens,
        words=words,
    )


def _word_from(word: Word, time_s: float) -> Word:
    return replace(word, start_s=max(word.start_s, time_s), end_s=max(word.end_s, time_s))
