"""Error rates of many clips, overall and by group, and the clips with the most errors.

Memory: four numbers for each clip and group, and the texts of the worst clips only.
"""

from __future__ import annotations

import heapq
from array import array
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from quest22.errors import UsageError
from quest22.evaluation.bootstrap import Bootstrap
from quest22.evaluation.normalise import normalizer
from quest22.evaluation.score import ErrorRate, Errors, characters_of
from quest22.evaluation.texts import ComparedTexts, TextPair, Unit, compared
from quest22.evaluation.word_diff import DiffSpan, align_words

Rank: TypeAlias = Literal["errors", "rate"]
Interval: TypeAlias = tuple[float, float]

WITHOUT_VALUE = "(none)"


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """The normaliser, the columns to group ``by``, and how many of the worst clips to keep."""

    normalizer: str = "auto"
    by: tuple[str, ...] = ()
    worst: int = 5
    worst_by: Rank = "errors"
    bootstrap: Bootstrap = field(default_factory=Bootstrap)

    def __post_init__(self) -> None:
        normalizer(self.normalizer)
        if self.worst < 0:
            raise UsageError(f"--worst is {self.worst}: expected a number of clips, 0 or more")
        if self.worst_by not in ("errors", "rate"):
            raise UsageError(f"--worst-by {self.worst_by!r}: expected errors or rate")


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """A clip's errors, and the normalised texts that were compared.

    ``words`` is empty if the errors are counted in characters; ``characters`` never is.
    """

    key: str
    language: str | None
    texts: ComparedTexts
    words: ErrorRate
    characters: ErrorRate

    @classmethod
    def of(cls, pair: TextPair, normalizer_name: str = "auto") -> ScoredClip:
        """Compare a clip's texts."""
        texts = compared(pair.reference, pair.hypothesis, pair.language, normalizer_name)
        words = Errors.of(texts).words
        return cls(pair.key, pair.language, texts, words, characters_of(texts))

    @property
    def errors(self) -> ErrorRate:
        """The errors in the clip's own unit."""
        return self.words if self.texts.unit == "word" else self.characters

    def alignment(self) -> list[DiffSpan]:
        """Which words, or characters, are equal and which are not."""
        return align_words(*self.texts.units())


@dataclass(frozen=True, slots=True)
class Rates:
    """The errors of clips that are counted in one unit.

    ``words`` is empty for clips counted in characters. The intervals are None if they cannot be
    estimated.
    """

    unit: Unit
    clips: int
    words: ErrorRate
    characters: ErrorRate
    words_interval: Interval | None
    characters_interval: Interval | None

    @property
    def errors(self) -> ErrorRate:
        return self.words if self.unit == "word" else self.characters

    @property
    def interval(self) -> Interval | None:
        return self.words_interval if self.unit == "word" else self.characters_interval


@dataclass(frozen=True, slots=True)
class GroupRates:
    """The errors of a group of clips: those counted in words, and those counted in characters."""

    by_words: Rates
    by_characters: Rates

    @property
    def clips(self) -> int:
        return self.by_words.clips + self.by_characters.clips

    def counted(self) -> list[Rates]:
        """Those of the two that have clips."""
        return [rates for rates in (self.by_words, self.by_characters) if rates.clips]


class _Counts:
    """Errors and reference length of each clip, in words and in characters."""

    def __init__(self, unit: Unit) -> None:
        self.words = ErrorRate()
        self.characters = ErrorRate()
        self._unit = unit
        self._counts = [array("q") for _ in range(4)]

    def add(self, clip: ScoredClip) -> None:
        self.words += clip.words
        self.characters += clip.characters
        of_clip = (
            clip.words.errors,
            clip.words.total,
            clip.characters.errors,
            clip.characters.total,
        )
        for counts, count in zip(self._counts, of_clip, strict=True):
            counts.append(count)

    def rates(self, bootstrap: Bootstrap) -> Rates:
        word_errors, words, character_errors, characters = (
            np.array(each, np.int64) for each in self._counts
        )
        return Rates(
            self._unit,
            len(words),
            self.words,
            self.characters,
            bootstrap.interval(word_errors, words),
            bootstrap.interval(character_errors, characters),
        )


class _Group:
    """The clips of a group, apart by unit."""

    def __init__(self) -> None:
        self._units: dict[Unit, _Counts] = {
            "word": _Counts("word"),
            "character": _Counts("character"),
        }

    @property
    def size(self) -> tuple[int, int]:
        """The number of reference words, and of reference characters where those are counted."""
        return self._units["word"].words.total, self._units["character"].characters.total

    def add(self, clip: ScoredClip) -> None:
        self._units[clip.texts.unit].add(clip)

    def rates(self, bootstrap: Bootstrap) -> GroupRates:
        word, character = self._units["word"], self._units["character"]
        return GroupRates(word.rates(bootstrap), character.rates(bootstrap))


class Evaluation:
    """Scores pairs of texts one by one; the rates can be read at any time."""

    def __init__(self, settings: EvaluationSettings) -> None:
        self.settings = settings
        self._clips = 0
        self._overall = _Group()
        self._groups: dict[str, dict[str, _Group]] = {"language": {}}
        self._groups |= {column: {} for column in settings.by}
        self._worst: list[tuple[tuple[float, float], int, ScoredClip]] = []

    @property
    def clips(self) -> int:
        return self._clips

    def add(self, pair: TextPair) -> ScoredClip:
        """Compare a clip's texts and count its errors.

        Raises :class:`UsageError` if the pair lacks a column to group by.
        """
        clip = ScoredClip.of(pair, self.settings.normalizer)
        self._clips += 1
        self._overall.add(clip)
        values = {"language": pair.language} | {
            name: _value(pair, name) for name in self.settings.by
        }
        for name, value in values.items():
            group = WITHOUT_VALUE if value is None else str(value)
            self._groups[name].setdefault(group, _Group()).add(clip)
        self._update_worst(clip)
        return clip

    def overall(self) -> GroupRates:
        return self._overall.rates(self.settings.bootstrap)

    def groups(self) -> dict[str, dict[str, GroupRates]]:
        """Rates by column and value; values with the most reference words come first."""
        return {
            name: {
                value: group.rates(self.settings.bootstrap)
                for value, group in sorted(
                    groups.items(), key=lambda item: item[1].size, reverse=True
                )
            }
            for name, groups in self._groups.items()
        }

    def worst(self) -> list[ScoredClip]:
        """The clips with the most errors (or the highest rate), worst first."""
        return [clip for _, _, clip in sorted(self._worst, key=lambda item: item[:2], reverse=True)]

    def _update_worst(self, clip: ScoredClip) -> None:
        errors = clip.errors
        if not errors.errors or not self.settings.worst:
            return
        count = float(errors.errors)
        rate = errors.rate if errors.rate is not None else float("inf")
        rank = (count, rate) if self.settings.worst_by == "errors" else (rate, count)
        heapq.heappush(self._worst, (rank, -self.clips, clip))
        if len(self._worst) > self.settings.worst:
            heapq.heappop(self._worst)


def _value(pair: TextPair, name: str) -> Any:
    if name not in pair.columns:
        columns = ", ".join(pair.columns) or "none"
        raise UsageError(f"--by: {pair.key} has no column {name!r}; its columns are: {columns}")
    return pair.columns[name]
