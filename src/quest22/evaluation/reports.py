"""Error rates of many clips, overall and by group, and the clips with the most errors.

Memory: four numbers for each clip and group, and the texts of the worst clips only.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from quest22.errors import UsageError
from quest22.evaluation.bootstrap import Bootstrap
from quest22.evaluation.normalise import normalizer, unchanged
from quest22.evaluation.score import ErrorRate, character_errors, word_errors
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
class TextPair:
    """A clip's reference and hypothesis; ``columns`` are the source's, by name."""

    key: str
    reference: str
    hypothesis: str
    language: str | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """A clip's errors, and the normalised texts that were compared."""

    key: str
    language: str | None
    words: ErrorRate
    characters: ErrorRate
    reference: str
    hypothesis: str

    def alignment(self) -> list[DiffSpan]:
        return align_words(self.reference.split(), self.hypothesis.split())


@dataclass(frozen=True, slots=True)
class Rates:
    """The errors of a group of clips; the intervals are None if they cannot be estimated."""

    clips: int
    words: ErrorRate
    characters: ErrorRate
    words_interval: Interval | None
    characters_interval: Interval | None


class _Group:
    """Errors and reference length of each clip, in words and in characters."""

    def __init__(self) -> None:
        self.words = ErrorRate()
        self.characters = ErrorRate()
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
            np.frombuffer(each, np.int64) for each in self._counts
        )
        return Rates(
            len(words),
            self.words,
            self.characters,
            bootstrap.interval(word_errors, words),
            bootstrap.interval(character_errors, characters),
        )


class Evaluation:
    """Scores pairs of texts one by one; the rates can be read at any time."""

    def __init__(self, settings: EvaluationSettings) -> None:
        self.settings = settings
        self._overall = _Group()
        self._groups: dict[str, dict[str, _Group]] = {"language": {}}
        self._groups |= {column: {} for column in settings.by}
        self._worst: list[tuple[tuple[float, float], int, ScoredClip]] = []

    @property
    def clips(self) -> int:
        return self._overall.words.pairs

    def add(self, pair: TextPair) -> ScoredClip:
        """Compare a clip's texts and count its errors.

        Raises :class:`UsageError` if the pair lacks a column to group by.
        """
        clip = self._score(pair)
        self._overall.add(clip)
        values = {"language": pair.language} | {
            name: _value(pair, name) for name in self.settings.by
        }
        for name, value in values.items():
            group = WITHOUT_VALUE if value is None else str(value)
            self._groups[name].setdefault(group, _Group()).add(clip)
        self._update_worst(clip)
        return clip

    def overall(self) -> Rates:
        return self._overall.rates(self.settings.bootstrap)

    def groups(self) -> dict[str, dict[str, Rates]]:
        """Rates by column and value; values with the most reference words come first."""
        return {
            name: {
                value: group.rates(self.settings.bootstrap)
                for value, group in sorted(groups.items(), key=lambda item: -item[1].words.total)
            }
            for name, groups in self._groups.items()
        }

    def worst(self) -> list[ScoredClip]:
        """The clips with the most errors (or the highest rate), worst first."""
        return [clip for _, _, clip in sorted(self._worst, key=lambda item: item[:2], reverse=True)]

    def _score(self, pair: TextPair) -> ScoredClip:
        normalize = normalizer(self.settings.normalizer, pair.language)
        reference = normalize(pair.reference).strip()
        hypothesis = normalize(pair.hypothesis).strip()
        return ScoredClip(
            key=pair.key,
            language=pair.language,
            words=word_errors(reference, hypothesis, unchanged),
            characters=character_errors(reference, hypothesis, unchanged),
            reference=reference,
            hypothesis=hypothesis,
        )

    def _update_worst(self, clip: ScoredClip) -> None:
        if not clip.words.errors or not self.settings.worst:
            return
        count = float(clip.words.errors)
        rate = clip.words.rate if clip.words.rate is not None else float("inf")
        rank = (count, rate) if self.settings.worst_by == "errors" else (rate, count)
        heapq.heappush(self._worst, (rank, -self.clips, clip))
        if len(self._worst) > self.settings.worst:
            heapq.heappop(self._worst)


def _value(pair: TextPair, name: str) -> Any:
    if name not in pair.columns:
        columns = ", ".join(pair.columns) or "none"
        raise UsageError(f"--by: {pair.key} has no column {name!r}; its columns are: {columns}")
    return pair.columns[name]
