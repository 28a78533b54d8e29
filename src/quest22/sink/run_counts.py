"""Totals of a run for readers of its results: clips, hours, errors, failure reasons.

The totals are stored as JSON values, so that they survive the process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from quest22.evaluation.score import ErrorRate, Errors, errors_of
from quest22.evaluation.texts import pair_of
from quest22.records import Failure, Transcript

MAX_REASONS = 1000
MAX_STORED_REASONS = 100
"""Different failure reasons that are counted, or stored with a run; the rest count together."""

OTHER_REASONS = "other reasons"
_LANGUAGE_SHARE = 0.01


def count_reason(reasons: Counter[str], stage: str, reason: str, limit: int = MAX_REASONS) -> None:
    """Count why a clip failed; beyond ``limit`` different reasons, new ones count as others."""
    text = f"{stage}: {reason}"
    known = text in reasons or len(reasons) < limit
    reasons[text if known else OTHER_REASONS] += 1


@dataclass(slots=True)
class RunCounts:
    """Totals over results; ``errors`` are those against the source's references.

    ``open_ends`` counts data files that could not be read to their end.
    """

    transcripts: int = 0
    failures: int = 0
    audio_s: float = 0.0
    errors: Errors = field(default_factory=Errors)
    reasons: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    open_ends: int = 0

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> RunCounts:
        """The counts that :meth:`to_json` returned."""
        return cls(
            stored["transcripts"],
            stored["failures"],
            stored["audio_s"],
            Errors(*(ErrorRate(**stored[name]) for name in ("words", "characters"))),
            Counter(stored["reasons"]),
            Counter(stored["languages"]),
            stored.get("open_ends", 0),
        )

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON values."""
        return {
            "transcripts": self.transcripts,
            "failures": self.failures,
            "audio_s": self.audio_s,
            **asdict(self.errors),
            "reasons": dict(self.reasons),
            "languages": dict(self.languages),
            "open_ends": self.open_ends,
        }

    def add(self, result: Transcript | Failure) -> None:
        if isinstance(result, Failure):
            self.failures += not result.open_end
            self.open_ends += result.open_end
            count_reason(self.reasons, result.stage, result.reason, MAX_STORED_REASONS)
            return
        self.transcripts += 1
        self.audio_s += result.duration_s
        if result.language is not None:
            self.languages[result.language] += 1
        self.errors += errors_of(pair_of(result))

    @classmethod
    def total(cls, parts: Iterable[RunCounts]) -> RunCounts:
        """The sum of counts of several parts."""
        total = cls()
        for each in parts:
            total.transcripts += each.transcripts
            total.failures += each.failures
            total.audio_s += each.audio_s
            total.errors += each.errors
            total.reasons.update(each.reasons)
            total.languages.update(each.languages)
            total.open_ends += each.open_ends
        return total

    def main_languages(self) -> list[str]:
        """Languages of at least one transcript in a hundred, the most frequent first."""
        least = self.transcripts * _LANGUAGE_SHARE
        ranked = [(-count, code) for code, count in self.languages.items() if count >= least]
        return [code for _, code in sorted(ranked)]
