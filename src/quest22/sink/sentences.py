"""Segments regrouped so that each is a sentence. Knows words and their times; no formats.

A sentence ends with a word that carries a full stop, a question or exclamation mark or an
ellipsis, unless the full stop belongs to an abbreviation or an initial, or the text goes on with a
small letter. Segments without words stay as they are: nobody knows where their sentences end.
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
    """The same words in segments that each hold a sentence, or what is left of one at the end.

    What is said of a segment beyond its text is that of the one where the sentence begins; tokens
    are left out, since a sentence need not end where a token does.
    """
    begun: list[tuple[Segment, Word]] = []
    for segment, word, following in _with_following(segments):
        if word is None:
            yield from _sentence(begun)
            begun = []
            yield segment
            continue
        begun.append((segment, word))
        if following is None or ends_sentence(word.text, following.text):
            yield from _sentence(begun)
            begun = []


def ends_sentence(word: str, following: str) -> bool:
    """Whether a sentence ends with ``word`` if ``following`` comes after it.

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
    """Each word with its segment and the word after it; a segment without words comes as itself."""
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


def _sentence(begun: Sequence[tuple[Segment, Word]]) -> Iterator[Segment]:
    if begun:
        words = tuple(word for _, word in begun)
        text = "".join(word.text for word in words)
        first, last = words[0], words[-1]
        yield replace(
            begun[0][0], start_s=first.start_s, end_s=last.end_s, text=text, tokens=(), words=words
        )
