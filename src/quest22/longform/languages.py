"""A clip's language, from those of its windows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LanguageSpan:
    """A language with its probability in a window of some length, in any unit."""

    language: str | None
    probability: float
    length: int


def prevailing_language(portions: Iterable[LanguageSpan]) -> tuple[str | None, float]:
    """The language of the most probable length, and its probability over all of it."""
    weights: defaultdict[str | None, float] = defaultdict(float)
    total = 0
    for each in portions:
        weights[each.language] += each.probability * each.length
        total += each.length
    if not total:
        return None, 0.0
    language = max(weights, key=lambda code: weights[code])
    return language, weights[language] / total
