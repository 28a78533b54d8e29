"""What a run has come to, for those who read its results: counts, hours, errors, reasons.

Knows results and adds them up; the sums survive the process as values of JSON.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from quest22.evaluation.score import ErrorRate, word_errors
from quest22.records import Failure, Transcript

MOST_REASONS = 100
OTHER_REASONS = "other reasons"
_LANGUAGE_SHARE = 0.01


@dataclass(slots=True)
class Counts:
    """Sums over results; ``words`` are the errors against the source's references."""

    transcripts: int = 0
    failures: int = 0
    audio_s: float = 0.0
    words: ErrorRate = field(default_factory=ErrorRate)
    reasons: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)

    @classmethod
    def restored(cls, kept: dict[str, Any]) -> Counts:
        """Counts as :meth:`kept` gave them."""
        return cls(
            kept["transcripts"],
            kept["failures"],
            kept["audio_s"],
            ErrorRate(**kept["words"]),
            Counter(kept["reasons"]),
            Counter(kept["languages"]),
        )

    def kept(self) -> dict[str, Any]:
        """The counts as values of JSON."""
        return {
            "transcripts": self.transcripts,
            "failures": self.failures,
            "audio_s": self.audio_s,
            "words": asdict(self.words),
            "reasons": dict(self.reasons),
            "languages": dict(self.languages),
        }

    def add(self, result: Transcript | Failure) -> None:
        if isinstance(result, Failure):
            self.failures += 1
            reason = f"{result.stage}: {result.reason}"
            known = reason in self.reasons or len(self.reasons) < MOST_REASONS
            self.reasons[reason if known else OTHER_REASONS] += 1
            return
        self.transcripts += 1
        self.audio_s += result.duration_s
        if result.language is not None:
            self.languages[result.language] += 1
        if result.reference is not None:
            self.words += word_errors(result.reference, result.text)

    def main_languages(self) -> list[str]:
        """Languages of at least one transcript in a hundred, the most frequent first."""
        least = self.transcripts * _LANGUAGE_SHARE
        found = [(-count, code) for code, count in self.languages.items() if count >= least]
        return [code for _, code in sorted(found)]
