"""Word and character error rates. Knows texts only: no files, no clocks.

Alignment and counts are jiwer's. What a clip's errors are counted in, and how its texts are
normalised first, is decided in :mod:`quest22.evaluation.texts`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from quest22.evaluation.normalise import Normalizer, basic
from quest22.evaluation.texts import ComparedTexts, TextPair, Unit, compared


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


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of many clips, counted in words or in characters as their languages are written.

    The two never make one number: see :mod:`quest22.evaluation.texts`.
    """

    words: ErrorRate = ErrorRate()
    characters: ErrorRate = ErrorRate()

    @classmethod
    def of(cls, texts: ComparedTexts) -> Errors:
        """The errors of one clip."""
        errors = _errors(texts.reference, texts.hypothesis, texts.unit)
        return cls(words=errors) if texts.unit == "word" else cls(characters=errors)

    def counted(self) -> list[tuple[Unit, ErrorRate]]:
        """The units in which there are reference words or characters, with their errors."""
        by_unit: list[tuple[Unit, ErrorRate]] = [
            ("word", self.words),
            ("character", self.characters),
        ]
        return [(unit, errors) for unit, errors in by_unit if errors.total]

    def __add__(self, other: Errors) -> Errors:
        return Errors(self.words + other.words, self.characters + other.characters)


def characters_of(texts: ComparedTexts) -> ErrorRate:
    """The errors of one clip in characters, whatever its unit is."""
    return _errors(texts.reference, texts.hypothesis, "character")


def errors_of(pair: TextPair | None) -> Errors:
    """The errors of one clip; none without a reference."""
    if pair is None:
        return Errors()
    return Errors.of(compared(pair.reference, pair.hypothesis, pair.language))


class Scoreboard:
    """Running errors, overall and by language."""

    def __init__(self) -> None:
        self.overall = Errors()
        self.by_language: dict[str | None, Errors] = {}

    def add(self, pair: TextPair | None) -> None:
        """Count the errors of one clip; nothing for a clip without reference."""
        if pair is None:
            return
        errors = errors_of(pair)
        self.overall += errors
        self.by_language[pair.language] = self.by_language.get(pair.language, Errors()) + errors


def percent(errors: ErrorRate) -> str:
    """``3.2 %``; a dash if there was no reference."""
    return "–" if errors.rate is None else f"{100 * errors.rate:.1f} %"


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
