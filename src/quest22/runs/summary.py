"""The totals of a run, and its failure limit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from quest22.errors import TooManyFailuresError
from quest22.evaluation.score import Scoreboard
from quest22.evaluation.texts import pair_of
from quest22.metrics import Metrics
from quest22.records import Failure, Transcript
from quest22.runs.journal import Progress
from quest22.runs.left_out import LeftOut
from quest22.sink.run_counts import count_reason

MISSING_SHOWN = 5
"""Data files with an open end of which the reason is kept."""


@dataclass(slots=True)
class RunStats:
    """Counts of the results of one process.

    ``scored``: transcripts are compared with their references here. ``audio_s`` is the audio of
    transcripts, ``scores`` their errors against the references. ``open_ends`` counts data files
    that could not be read to their end; ``missing`` says so of the first of them.
    ``accepts_missing``: the user has said that the run is finished without what they lack.
    """

    transcripts: int = 0
    failures: int = 0
    audio_s: float = 0.0
    scores: Scoreboard = field(default_factory=Scoreboard)
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: LeftOut = field(default_factory=LeftOut)
    scored: bool = True
    open_ends: int = 0
    missing: list[str] = field(default_factory=list)
    accepts_missing: bool = False

    def add(self, result: Transcript | Failure) -> None:
        if isinstance(result, Failure) and result.open_end:
            self.open_ends += 1
            if len(self.missing) < MISSING_SHOWN:
                self.missing.append(result.reason)
            return
        if isinstance(result, Failure):
            self.failures += 1
            count_reason(self.reasons, result.stage, result.reason)
            return
        self.transcripts += 1
        self.audio_s += result.duration_s
        self.left_out.add(result)
        if self.scored:
            self.scores.add(pair_of(result))


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The totals of a run.

    ``transcripts``, ``failures``, ``audio_s`` (seconds of transcribed audio) and ``open_ends``
    (data files that could not be read to their end, so that an unknown number of rows is missing)
    are those of the whole run, including earlier processes; ``stats`` and ``metrics`` are those of
    this call. ``finished``: nothing is left to do, or the user has accepted what is missing.
    """

    transcripts: int
    failures: int
    audio_s: float
    finished: bool
    stats: RunStats
    metrics: Metrics
    open_ends: int = 0

    @classmethod
    def of(cls, progress: Progress, stats: RunStats, metrics: Metrics) -> RunSummary:
        """The summary of a journaled run."""
        return cls(
            progress.transcripts,
            progress.failures,
            progress.audio_s,
            progress.complete,
            stats,
            metrics,
            progress.open_ends,
        )

    @classmethod
    def of_one_process(cls, stats: RunStats, metrics: Metrics) -> RunSummary:
        """The summary of a run without a journal."""
        counts = (stats.transcripts, stats.failures, stats.audio_s)
        return cls(*counts, not stats.open_ends, stats, metrics, stats.open_ends)

    @property
    def reasons(self) -> Counter[str]:
        """How many clips failed in this call, by stage and reason."""
        return self.stats.reasons


@dataclass(frozen=True, slots=True)
class FailureBudget:
    """How many clips may fail: ``most`` in all, None for no limit; ``earlier`` failures count."""

    most: int | None = None
    earlier: int = 0

    def check(self, result: Transcript | Failure, failures: int) -> None:
        """Raise :class:`TooManyFailuresError` before the failure that exceeds the limit is written.

        A resumed run thus retries that clip.
        """
        if self.most is None or not isinstance(result, Failure):
            return
        if self.earlier + failures >= self.most:
            raise TooManyFailuresError(
                f"stopped at {result.name} ({result.stage}: {result.reason}): "
                + (f"more than {self.most:,} clips have failed" if self.most else "a clip failed")
            )
