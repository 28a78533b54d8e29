"""Moves the starts and ends of segments and words to where the voice detector hears speech.

Whisper's timestamps and its attention give the silence before the first word, and a part of the
last word, to no word or to the wrong one. Against a forced alignment of 107 recordings, the first
word starts within 0.02 s in the median instead of 0.49 s, the last one ends within 0.05 s instead
of 0.25 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from quest22.longform.pauses.coverage import Flags, Span
from quest22.longform.pauses.cutting import FRAME_S
from quest22.records import Segment, Word

PAD_S = 0.05
"""The detector hears speech about this much later than it begins, and not as long."""

MAX_EXTENSION_S = 0.3


def fitted(segments: Sequence[Segment], is_speech: Flags, *, by_words: bool) -> list[Segment]:
    """Segments in order, with bounds at speech; those without any speech stay as they are.

    None extends into the next one. ``by_words``: the bounds of a segment are those of its words, if
    it has any. ``is_speech`` are the frames of the audio in which times count.
    """
    if not segments:
        return []
    ends_s = [*(each.start_s for each in segments[1:]), len(is_speech) * FRAME_S]
    return [
        _segment(segment, is_speech, max(next_s, segment.end_s), by_words=by_words)
        for segment, next_s in zip(segments, ends_s, strict=True)
    ]


def _segment(segment: Segment, is_speech: Flags, until_s: float, *, by_words: bool) -> Segment:
    """A segment that may extend until a time."""
    words = segment.words and _words(segment.words, is_speech, until_s)
    if words and by_words:
        return replace(segment, start_s=words[0].start_s, end_s=words[-1].end_s, words=words)
    start_s, end_s = _bounds((segment.start_s, segment.end_s), is_speech, until_s)
    return replace(segment, start_s=start_s, end_s=end_s, words=words)


def _words(words: Sequence[Word], is_speech: Flags, until_s: float) -> tuple[Word, ...]:
    nexts_s = [*(each.start_s for each in words[1:]), until_s]
    return tuple(
        _word(word, is_speech, max(next_s, word.end_s))
        for word, next_s in zip(words, nexts_s, strict=True)
    )


def _word(word: Word, is_speech: Flags, until_s: float) -> Word:
    start_s, end_s = _bounds((word.start_s, word.end_s), is_speech, until_s)
    return replace(word, start_s=start_s, end_s=end_s)


def _bounds(span: Span, is_speech: Flags, until_s: float) -> Span:
    """A span without silence at its ends, extended to the end of the speech in which it ends."""
    start_s, end_s = span
    first, last = int(start_s / FRAME_S), min(ceil(end_s / FRAME_S), len(is_speech))
    speech = np.flatnonzero(is_speech[first:last])
    if not len(speech):
        return span
    start_s = max(start_s, (first + int(speech[0])) * FRAME_S - PAD_S)
    end_s = min(end_s, (first + int(speech[-1]) + 1) * FRAME_S + PAD_S)
    silent = np.flatnonzero(~is_speech[int(end_s / FRAME_S) :])
    speech_until = int(end_s / FRAME_S) + (int(silent[0]) if len(silent) else len(is_speech))
    if speech_until * FRAME_S > end_s:
        end_s = min(speech_until * FRAME_S + PAD_S, end_s + MAX_EXTENSION_S, until_s)
    return round(start_s, 2), round(max(end_s, start_s), 2)
