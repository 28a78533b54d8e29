"""Word and character error rates. Knows texts only: no files, no clocks.

Counting is jiwer's. Texts are normalised first (:mod:`quest22.evaluation.normalise`), by default as
openai/whisper's ``BasicTextNormalizer`` does, so that case and punctuation are not errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from quest22.evaluation.normalise import Normalizer, basic

Unit: TypeAlias = Literal["word", "character"]


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """Counts of an alignment, in words (or characters); ``+`` joins those of two texts."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    pairs: int = 0

    @property
    def total(self) -> int:
        """Words (or characters) of the references."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors per reference word, above 1 where much was inserted; None without references."""
        return self.errors / self.total if self.total else None

    def __add__(self, other: ErrorRate) -> ErrorRate:
        return ErrorRate(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.pairs + other.pairs,
        )


def word_errors(reference: str, text: str, normalize: Normalizer = basic) -> ErrorRate:
    """Align the words of two texts after normalisation."""
    return _errors(normalize(reference), normalize(text), "word")


def character_errors(reference: str, text: str, normalize: Normalizer = basic) -> ErrorRate:
    """Align the characters of two texts after normalisation, single spaces included."""
    return _errors(normalize(reference), normalize(text), "character")


def error_rate(pairs: Iterable[tuple[str, str]], unit: Unit = "word") -> ErrorRate:
    """The errors of all ``(reference, text)`` pairs together, read one at a time."""
    count = word_errors if unit == "word" else character_errors
    return sum((count(reference, text) for reference, text in pairs), ErrorRate())


class Scoreboard:
    """Word errors of a run as it goes, overall and by language."""

    def __init__(self) -> None:
        self.overall = ErrorRate()
        self.by_language: dict[str | None, ErrorRate] = {}

    def add(self, reference: str, text: str, language: str | None = None) -> ErrorRate:
        """Count one transcript; returns its own errors."""
        errors = word_errors(reference, text)
        self.overall += errors
        self.by_language[language] = self.by_language.get(language, ErrorRate()) + errors
        return errors


def _errors(reference: str, text: str, unit: Unit) -> ErrorRate:
    expected, heard = reference.strip(), text.strip()
    if not expected:  # jiwer aligns nothing with an empty reference
        inserted = len(heard.split()) if unit == "word" else len(heard)
        return ErrorRate(insertions=inserted, pairs=1)
    import jiwer

    process = jiwer.process_words if unit == "word" else jiwer.process_characters
    found = process(expected, heard)
    return ErrorRate(found.hits, found.substitutions, found.deletions, found.insertions, pairs=1)
