"""Regroups segments into sentences, by their words and times. Knows no file formats.

A sentence ends with a full stop, question mark, exclamation mark or ellipsis, unless the full stop
belongs to an abbreviation or an initial, or the next word begins in lower case. Segments without
words stay unchanged, because the times of their sentences are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from quest22.records import Segment, Word

_ENDS = tuple(".。!！?？…")
_CLOSING = "\"'”’»)]}」』"
_OPENING = "\"'“‘„«([{-–—¿¡ "
_ABBREVIATED = ("mr", "mrs", "ms", "dr", "prof", "st", "mt", "vs", "им", "ул", "см", "стр", "тыс")


def by_sentence(segments: Iterable[Segment]) -> Iterator[Segment]:
    """The same words in segments of one sentence each; the last may be incomplete.

    A sentence inherits language, probabilities and the like from the segment where it begins. It
    has no tokens, since it need not end at a token.
    """
    pending: list[tuple[Segment, Word]] = []
    for segment, word, following in _with_following(segments):
        if word is None:
            yield from _sentence(pending)
            pending = []
            yield segment
            continue
        pending.append((segment, word))
        if following is None or ends_sentence(word.text, following.text):
            yield from _sentence(pending)
            pending = []


def ends_sentence(word: str, following: str) -> bool:
    """Whether a sentence ends with ``word`` when ``following`` is the next word.

    >>> ends_sentence(" home.", " Then"), ends_sentence(" Dr.", " No"), ends_sentence("…", " but")
    (True, False, False)
    """
    bare = word.rstrip().rstrip(_CLOSING)
    if not bare.endswith(_ENDS):
        return False
    if following.lstrip(_OPENING)[:1].islower():
        return False
    stem = bare.strip(_OPENING).removesuffix(".").lower()
    abbreviated = bare.endswith(".") and (
        stem in _ABBREVIATED or (len(stem) == 1 and stem.isalpha())
    )
    return not abbreviated


def _with_following(
    segments: Iterable[Segment],
) -> Iterator[tuple[Segment, Word | None, Word | None]]:
    """Each word with its segment and the next word; a segment without words comes alone."""
    pending: tuple[Segment, Word] | None = None
    for segment in segments:
        if segment.words is None and pending:
            yield *pending, None
            pending = None
        if segment.words is None:
            yield segment, None, None
        for word in segment.words or ():
            if pending:
                yield *pending, word
            pending = segment, word
    if pending:
        yield *pending, None


def _sentence(pending: Sequence[tuple[Segment, Word]]) -> Iterator[Segment]:
    if pending:
        words = tuple(word for _, word in pending)
        text = "".join(word.text for word in words)
        first, last = words[0], words[-1]
        yield replace(
            pending[0][0],
            start_s=first.start_s,
            end_s=last.end_s,
            text=text,
            tokens=(),
            words=words,
        )
