"""Word and character error rates. Knows texts only: no files, no clocks.

Alignment and counts are jiwer's. Texts are normalised first (:mod:`quest22.evaluation.normalise`),
by default as openai/whisper's ``BasicTextNormalizer`` does, so that case and punctuation do not
count as errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from quest22.evaluation.normalise import Normalizer, basic

Unit: TypeAlias = Literal["word", "character"]


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Counts of an alignment in words (or characters), summed over ``pairs`` of texts by ``+``."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    pairs: int = 0

    @property
    def total(self) -> int:
        """Words (or characters) in the references."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors per reference word, above 1 with many insertions; None without reference words."""
        return self.errors / self.total if self.total else None

    def __add__(self, other: ErrorRate) -> ErrorRate:
        return ErrorRate(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.pairs + other.pairs,
        )


def word_errors(reference: str, hypothesis: str, normalize: Normalizer = basic) -> ErrorRate:
    """Align the words of two texts after normalisation."""
    return _errors(normalize(reference), normalize(hypothesis), "word")


def character_errors(reference: str, hypothesis: str, normalize: Normalizer = basic) -> ErrorRate:
    """Align the characters of two texts after normalisation, single spaces included."""
    return _errors(normalize(reference), normalize(hypothesis), "character")


def error_rate(pairs: Iterable[tuple[str, str]], unit: Unit = "word") -> ErrorRate:
    """The errors of all ``(reference, hypothesis)`` pairs together, read one at a time."""
    count = word_errors if unit == "word" else character_errors
    return sum((count(reference, hypothesis) for reference, hypothesis in pairs), ErrorRate())


class Scoreboard:
    """Running word errors, overall and by language."""

    def __init__(self) -> None:
        self.overall = ErrorRate()
        self.by_language: dict[str | None, ErrorRate] = {}

    def add(self, reference: str, hypothesis: str, language: str | None = None) -> ErrorRate:
        """Score one transcript and add its errors; returns them."""
        errors = word_errors(reference, hypothesis)
        self.overall += errors
        self.by_language[language] = self.by_language.get(language, ErrorRate()) + errors
        return errors


def _errors(reference: str, hypothesis: str, unit: Unit) -> ErrorRate:
    reference, hypothesis = reference.strip(), hypothesis.strip()
    if not reference:  # jiwer refuses an empty reference
        inserted = len(hypothesis.split()) if unit == "word" else len(hypothesis)
        return ErrorRate(insertions=inserted, pairs=1)
    import jiwer

    process = jiwer.process_words if unit == "word" else jiwer.process_characters
    result = process(reference, hypothesis)
    return ErrorRate(
        result.hits, result.substitutions, result.deletions, result.insertions, pairs=1
    )
