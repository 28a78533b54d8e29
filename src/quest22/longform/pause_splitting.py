"""Splits segments at long pauses, so that no caption stands where nobody speaks.

Whisper does not see the silences that are left out between spans of speech, and hardly minds those
that it sees: what it takes for one segment may last over a minute of silence. The times of words
tell where its text belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from quest22.longform.window_passes import Vocabulary
from quest22.records import DroppedSegment, Segment

LONG_PAUSE_S = 2.0
"""A segment does not last over a pause of this length between two words."""

MIN_LEFT_OUT_S = 1.0
"""Nor over audio that was left out, if it is this long; shorter pauses stay in their segment."""

IsApart = Callable[[float, float], bool]
"""Whether two times in the clip lie on two sides of audio that was left out."""


def split_at_pauses(
    segment: Segment, is_apart: IsApart, vocabulary: Vocabulary, *, keep_words: bool
) -> list[Segment]:
    """The parts of a segment between its long pauses; without ``keep_words``, without words.

    A segment without words cannot be split. Texts and tokens of the parts are the segment's.
    """
    words = segment.words or ()
    cuts = [
        at
        for at, (before, after) in enumerate(pairwise(words), start=1)
        if after.start_s - before.end_s >= LONG_PAUSE_S or is_apart(before.end_s, after.start_s)
    ]
    groups = [words[start:stop] for start, stop in pairwise([0, *cuts, len(words)])]
    if not cuts or "".join(word.text for word in words) != segment.text:
        return [segment if keep_words else replace(segment, words=None)]
    texts = ["".join(word.text for word in group) for group in groups]
    return [
        replace(
            segment,
            start_s=group[0].start_s,
            end_s=group[-1].end_s,
            text=text,
            tokens=tokens,
            words=group if keep_words else None,
        )
        for group, text, tokens in zip(
            groups, texts, _split_tokens(segment, texts, vocabulary), strict=True
        )
    ]


def _split_tokens(
    segment: Segment, texts: Sequence[str], vocabulary: Vocabulary
) -> list[tuple[int, ...]]:
    """The tokens of each text, which together are those of the segment."""
    parts, at, length = list[tuple[int, ...]](), 0, 0
    for text in texts[:-1]:
        length += len(text)
        stop = at
        while stop < len(segment.tokens) and _length(segment.tokens[:stop], vocabulary) < length:
            stop += 1
        parts.append(segment.tokens[at:stop])
        at = stop
    return [*parts, segment.tokens[at:]]


def _length(tokens: Sequence[int], vocabulary: Vocabulary) -> int:
    """The letters in a text, not counting a last one that is incomplete."""
    text = vocabulary.decode([token for token in tokens if token < vocabulary.eot])
    return len(text.rstrip("\ufffd"))


def outside(
    silences: Sequence[DroppedSegment], segments: Sequence[Segment]
) -> list[DroppedSegment]:
    """The silences that are no pause within a segment; both are in order."""
    kept: list[DroppedSegment] = []
    at = 0
    for silence in silences:
        while at < len(segments) and segments[at].end_s <= silence.start_s:
            at += 1
        if at == len(segments) or segments[at].start_s >= silence.end_s:
            kept.append(silence)
    return kept
