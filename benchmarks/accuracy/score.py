"""Errors of transcripts: the product's own counting, and words lost or said twice in a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from quest22.evaluation.bootstrap import Bootstrap
from quest22.evaluation.score import Errors
from quest22.evaluation.texts import Unit, compared
from quest22.evaluation.word_diff import align_words

MIN_RUN = 4
"""So many words missing or added in a row are a fault of the seams; fewer are misheard."""

NEAR = 60
"""Words before and after an added run in which it may be said already."""


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of some transcripts, and how many words (or characters) are in long runs.

    ``lost`` are missing, ``twice`` said a second time, ``added`` said by nobody.
    """

    errors: Errors = field(default_factory=Errors)
    lost: int = 0
    twice: int = 0
    added: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.errors + other.errors,
            self.lost + other.lost,
            self.twice + other.twice,
            self.added + other.added,
        )


def score(reference: str, hypothesis: str, language: str | None) -> Score:
    """The errors of one transcript, in the unit of its language."""
    texts = compared(reference, hypothesis, language)
    said, heard = texts.units()
    lost = twice = added = at = 0
    for span in align_words(said, heard):
        if span.kind == "delete" and len(span.reference) >= MIN_RUN:
            lost += len(span.reference)
        if span.kind == "insert" and len(span.hypothesis) >= MIN_RUN:
            if is_repeated(heard, at, at + len(span.hypothesis)):
                twice += len(span.hypothesis)
            else:
                added += len(span.hypothesis)
        at += len(span.hypothesis)
    return Score(Errors.of(texts), lost, twice, added)


def is_repeated(words: Sequence[str], start: int, end: int) -> bool:
    """Whether four words of ``words[start:end]`` in a row are also said just before or after."""
    around = {*_runs(words[max(0, start - NEAR) : start]), *_runs(words[end : end + NEAR])}
    return any(run in around for run in _runs(words[start:end]))


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(words[at : at + MIN_RUN]) for at in range(len(words) - MIN_RUN + 1))


def total(scores: Iterable[Score]) -> Score:
    """All together."""
    return sum(scores, Score())


def interval(scores: Sequence[Score], unit: Unit = "word") -> tuple[float, float] | None:
    """Bounds of the error rate in 95 of 100 drawings of the recordings; None for too few."""
    counted = [each.errors.words if unit == "word" else each.errors.characters for each in scores]
    errors = np.array([each.errors for each in counted], np.int64)
    return Bootstrap().interval(errors, np.array([each.total for each in counted], np.int64))
