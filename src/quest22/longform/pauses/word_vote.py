"""Combines several hypotheses for the same speech, word by word.

ROVER (Fiscus, 1997: "A post-processing system to yield reduced word error rates"): each hypothesis
is aligned with the first, and at each place the word wins that most of them have, or that no word
is there. Where votes are equal, the first hypothesis is right. In languages without spaces
characters vote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from quest22.checkpoint.word_splitting import UNSPACED
from quest22.evaluation.word_diff import align_words

_MARKS = re.compile(r"[^\w']", re.UNICODE)
EMPTY = "_"
"""The key of a word of punctuation alone."""


@dataclass(slots=True)
class _Votes:
    """The votes for a place in the text: by key, the weight and the words as they were written."""

    weights: dict[tuple[str, ...], float] = field(default_factory=dict)
    words: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    def add(self, key: tuple[str, ...], words: tuple[str, ...], weight: float) -> None:
        self.weights[key] = self.weights.get(key, 0.0) + weight
        self.words.setdefault(key, words)

    def winner(self, default: tuple[str, ...]) -> tuple[str, ...]:
        """The words with the most weight; those of ``default`` unless others have more."""
        best = max(self.weights, key=lambda key: self.weights[key])
        if self.weights[best] <= self.weights.get(default, 0.0):
            best = default
        return self.words.get(best, ())


def split(text: str, language: str | None) -> list[str]:
    """The units of a text that vote: words, or characters in languages without spaces."""
    return [*text.replace(" ", "")] if language in UNSPACED else text.split()


def vote(
    first: Sequence[str], others: Sequence[Sequence[str]], weights: Sequence[float]
) -> list[tuple[str, ...]]:
    """What stands in place of each word of ``first``: one word, several, or none.

    ``weights`` are those of all hypotheses, the first included. Words that are inserted before a
    word stand in its place, those after the last one in the place of the last.
    """
    if not first:
        return []
    keys = [_key(word) for word in first]
    places = [_Votes() for _ in first]
    gaps = [_Votes() for _ in range(len(first) + 1)]
    for place, key, word in zip(places, keys, first, strict=True):
        place.add((key,), (word,), weights[0])
    for gap in gaps:
        gap.add((), (), weights[0])
    for words, weight in zip(others, weights[1:], strict=True):
        _add_votes(places, gaps, keys, words, weight)
    inserted = [gap.winner(()) for gap in gaps]
    chosen = [place.winner((key,)) for place, key in zip(places, keys, strict=True)]
    combined = [before + word for before, word in zip(inserted, chosen, strict=False)]
    combined[-1] += inserted[-1]
    return combined


def _add_votes(
    places: list[_Votes], gaps: list[_Votes], keys: list[str], words: Sequence[str], weight: float
) -> None:
    """Add the votes of one more hypothesis."""
    filled: set[int] = set()
    start = taken = 0
    for span in align_words(keys, [_key(word) for word in words]):
        theirs = tuple(words[taken : taken + len(span.hypothesis)])
        if span.kind == "insert":
            gaps[start].add(span.hypothesis, theirs, weight)
            filled.add(start)
        for at in range(len(span.reference)):
            own = slice(at, at + 1)
            places[start + at].add(span.hypothesis[own], theirs[own], weight)
        start += len(span.reference)
        taken += len(span.hypothesis)
    for at, gap in enumerate(gaps):
        if at not in filled:
            gap.add((), (), weight)


def _key(word: str) -> str:
    return _MARKS.sub("", word).lower() or EMPTY
