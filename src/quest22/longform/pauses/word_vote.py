"""Combines several hypotheses for the same speech, word by word.

ROVER (Fiscus, 1997: "A post-processing system to yield reduced word error rates"): each hypothesis
is aligned with the first, and at each place the word wins that most of them have, or that no word
is there. Where votes are equal, the first hypothesis is right. In languages without spaces
characters vote.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from quest22.checkpoint.word_splitting import UNSPACED
from quest22.evaluation.word_diff import align_words
from quest22.longform.window_passes import Vocabulary
from quest22.records import Segment, Word

Words = tuple[str, ...]

_MARKS = re.compile(r"[^\w']", re.UNICODE)
_NO_LETTERS = "_"
"""The key of a word of punctuation alone."""

EDGE = 0.01
"""Of a character: words may end and begin at the same place in a text, at different times."""


@dataclass(slots=True)
class _Votes:
    """The votes for a place in the text: how many, and the words as they were written, by key."""

    counts: dict[Words, int] = field(default_factory=dict)
    words: dict[Words, Words] = field(default_factory=dict)

    def add(self, key: Words, words: Words) -> None:
        self.counts[key] = self.counts.get(key, 0) + 1
        self.words.setdefault(key, words)

    def winner(self, first: Words) -> Words:
        """The words with the most votes; those of the key ``first`` unless others have more."""
        best = max(self.counts, key=lambda key: self.counts[key])
        return self.words[best if self.counts[best] > self.counts[first] else first]


def split(text: str, language: str | None) -> list[str]:
    """The units of a text that vote: words, or characters in languages without spaces."""
    return [*text.strip()] if language in UNSPACED else text.split()


def vote(first: Sequence[str], others: Sequence[Sequence[str]]) -> list[Words]:
    """What stands in place of each word of ``first``: one word, several, or none.

    Words that are inserted before a word stand in its place, those after the last one in the place
    of the last.
    """
    if not first:
        return []
    keys = [_key(word) for word in first]
    places = [_Votes() for _ in first]
    gaps = [_Votes() for _ in range(len(first) + 1)]
    for hypothesis in (first, *others):
        _add_votes(places, gaps, keys, hypothesis)
    inserted = [gap.winner(()) for gap in gaps]
    chosen = [place.winner((key,)) for place, key in zip(places, keys, strict=True)]
    combined = [before + word for before, word in zip(inserted, chosen, strict=False)]
    combined[-1] += inserted[-1]
    return combined


def with_votes(
    segments: Sequence[Segment],
    texts: Sequence[str],
    language: str | None,
    vocabulary: Vocabulary,
) -> list[Segment]:
    """The segments of a window with the words that the vote of all texts gave.

    Words stay in their segments; those that replace others share their time.
    """
    own = [split(segment.text, language) for segment in segments]
    others = [split(text, language) for text in texts]
    voted = iter(vote([word for words in own for word in words], others))
    separator = "" if language in UNSPACED else " "
    combined: list[Segment] = []
    for segment, words in zip(segments, own, strict=True):
        places = [next(voted) for _ in words]
        changed = places != [(word,) for word in words]
        combined.append(_rewritten(segment, places, separator, vocabulary) if changed else segment)
    return [each for each in combined if each.text.strip()]


def _add_votes(
    places: list[_Votes], gaps: list[_Votes], keys: list[str], words: Sequence[str]
) -> None:
    """Add the votes of one hypothesis."""
    filled: set[int] = set()
    start = taken = 0
    for span in align_words(keys, [_key(word) for word in words]):
        theirs = tuple(words[taken : taken + len(span.hypothesis)])
        if span.kind == "insert":
            gaps[start].add(span.hypothesis, theirs)
            filled.add(start)
        for at in range(len(span.reference)):
            one = slice(at, at + 1)
            places[start + at].add(span.hypothesis[one], theirs[one])
        start += len(span.reference)
        taken += len(span.hypothesis)
    for at, gap in enumerate(gaps):
        if at not in filled:
            gap.add((), ())


def _key(word: str) -> str:
    return _MARKS.sub("", word).lower() or _NO_LETTERS


def _rewritten(
    segment: Segment, places: Sequence[Words], separator: str, vocabulary: Vocabulary
) -> Segment:
    """A segment with other words in place of its own."""
    text = "".join(separator + word for place in places for word in place)
    words = segment.words
    if words:
        words = tuple(_timed(segment, places, separator))
    return replace(segment, text=text, tokens=tuple(vocabulary.encode(text)), words=words)


def _timed(segment: Segment, places: Sequence[Words], separator: str) -> Iterator[Word]:
    """The words of all places; those of one share the time of the word that stood there."""
    clock = _Clock.of(segment.words or (), segment.text)
    position = 0
    for place, word in zip(places, split(segment.text, segment.language), strict=True):
        position = clock.text.index(word, position)
        start_s, end_s = clock.at(position, EDGE), clock.at(position + len(word), -EDGE)
        probability = clock.probability(position)
        position += len(word)
        for at, text in enumerate(place):
            share = [start_s + (end_s - start_s) * step / len(place) for step in (at, at + 1)]
            yield Word(round(share[0], 2), round(share[1], 2), separator + text, probability)


@dataclass(frozen=True, slots=True)
class _Clock:
    """When each character of a text is spoken; words may consist of several units, or parts."""

    text: str
    places: list[int]  # in the text: start and end of each word
    times_s: list[float]
    probabilities: list[float]

    @classmethod
    def of(cls, words: Sequence[Word], text: str) -> _Clock:
        places, times_s, position = [], [], 0
        for word in words:
            stop = position + len(word.text)
            places += [stop - len(word.text.lstrip()), stop]
            times_s += [word.start_s, word.end_s]
            position = stop
        return cls(text, places, times_s, [word.probability for word in words])

    def at(self, place: int, nudge: float) -> float:
        return float(np.interp(place + nudge, self.places, self.times_s))

    def probability(self, place: int) -> float:
        """The probability of the word at a place."""
        return self.probabilities[
            min(bisect_right(self.places[1::2], place), len(self.probabilities) - 1)
        ]
