"""Where a text may break into captions and lines, how good a break is, and how wide text is.

Text breaks at spaces; that of Chinese, Japanese, Thai, Lao, Khmer and Burmese also between
characters, unless punctuation or a vowel sign belongs to its neighbour (a part of Unicode's line
breaking algorithm, UAX #14). Knows no times.
"""

from __future__ import annotations

import re
import unicodedata

from quest22.sink.formats.sentences import ends_sentence

WITHIN_PHRASE = 1.0
"""The cost of a break between words that nothing separates; at the end of a sentence it is 0."""

_CLAUSE_END = 0.25
_BEFORE_CONJUNCTION = 0.5
_WITHIN_UNSPACED = 1.25
_AFTER_HIRAGANA = 0.75
"""Japanese: a particle or ending before a word in other characters."""
_BEFORE_OWN_WORD = 1.5
"""An article, preposition or number, which belongs to what follows."""
_SHORT_WORD = 3
"""Most articles and prepositions are not longer, in most languages."""

_CLAUSE_ENDS = tuple(",;:!?…—–，、；：！？。·")
_CLOSING = (
    "!),.:;?]}%»’”…、。〉》」』】〕！），．：；？］｝"
    "゛゜ーゝゞヽヾ々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"
)
_OPENING = "([{«¿¡‘“〈《「『【〔（［｛เแโใไເແໂໃໄ"
_QUOTES = "\"'”’»)]}」』"
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff01-\uff60\U00020000-\U0003ffff]"
)
_HIRAGANA = re.compile("[\u3040-\u309f]")
_CHARACTER = re.compile(r"\s*\S")
_NAMED = re.compile(r"\w+")
_CONJUNCTIONS = frozenset(
    _NAMED.findall(
        "and but or because which who when where while if that than although "
        "и но или что чтобы потому когда если который которая которые как хотя "
        "und aber oder weil dass denn wenn et mais ou que qui parce car lorsque "
        "y e pero porque cuando ma perché quando mas"
    )
)
_LONGER_PREPOSITIONS = frozenset(
    _NAMED.findall(
        "from with into over under about between through without their this these "
        "через перед после около между eine einen einem einer nach über unter dans avec pour "
        "desde hasta para sobre della nella"
    )
)


def width(text: str) -> int:
    """The width of a text in characters; full-width ones, as in Chinese, count twice."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def may_break(before: str, after: str) -> bool:
    """Whether a line may end with ``before`` if ``after`` comes next.

    >>> may_break("book", " is"), may_break("book", "s"), may_break("今", "天")
    (True, False, True)
    """
    left, right = before.rstrip(), after.lstrip()
    if not left or not right or left[-1] in _OPENING or right[0] in _CLOSING:
        return False
    if left != before or right != after:
        return True
    if unicodedata.category(right[0]).startswith("M"):
        return False
    return bool(_UNSPACED.match(left[-1]) or _UNSPACED.match(right[0]))


def unbroken(text: str) -> list[str]:
    """The smallest pieces into which a text may break, in order; spaces stay in front."""
    pieces: list[str] = []
    for character in _CHARACTER.findall(text):
        if pieces and not may_break(pieces[-1][-1], character):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def break_cost(before: str, after: str) -> float:
    """How little a break suits after a piece of text; 0: the piece ends a sentence.

    ``after`` is the next piece, behind a space if the text has one there.

    >>> break_cost("home,", " we"), break_cost("home", " and"), break_cost("the", " house")
    (0.25, 0.5, 1.5)
    """
    piece, following, spaced = before.strip(), after.strip(), after[:1].isspace()
    if ends_sentence(piece, following):
        return 0.0
    bare = piece.rstrip(_QUOTES)
    if bare.endswith(_CLAUSE_ENDS):
        return _CLAUSE_END
    if following.lower() in _CONJUNCTIONS:
        return _BEFORE_CONJUNCTION
    if not spaced or _UNSPACED.match(bare[-1:]):
        return _CLAUSE_END if spaced else _within_unspaced(bare, following)
    stem = bare.removesuffix(".")
    short = len(stem) <= _SHORT_WORD and stem.isalpha()
    if short or stem[-1:].isdigit() or stem.lower() in _LONGER_PREPOSITIONS:
        return _BEFORE_OWN_WORD
    return WITHIN_PHRASE


def _within_unspaced(before: str, after: str) -> float:
    starts_word = _HIRAGANA.match(before[-1:]) and not _HIRAGANA.match(after)
    return _AFTER_HIRAGANA if starts_word else _WITHIN_UNSPACED
