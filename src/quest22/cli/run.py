"""Carries a run out: every result to the sinks in order, the display beside, an exit code at last.

Whatever ends a run early, what was written stays written and the sinks are closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

from quest22.cli.exits import Exit, drop_standard_output, exit_for, say
from quest22.cli.progress import Display
from quest22.errors import TooManyFailuresError
from quest22.evaluation.score import Scoreboard
from quest22.metrics import Metrics
from quest22.protocols import Sink
from quest22.records import Failure, Transcript
from quest22.runs.journal import JournaledSink
from quest22.sink.run_counts import count_reason


class Results(Protocol):
    """A pass over a source, as :class:`quest22.runtime.build.Run` is."""

    metrics: Metrics
    total: int | None

    def __iter__(self) -> Iterator[Transcript | Failure]: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class RunStats:
    """What came out of a run; not ``scored`` where others compare with the references."""

    transcripts: int = 0
    failures: int = 0
    scores: Scoreboard = field(default_factory=Scoreboard)
    reasons: Counter[str] = field(default_factory=Counter)
    scored: bool = True

    def count(self, result: Transcript | Failure) -> None:
        if isinstance(result, Failure):
            self.failures += 1
            count_reason(self.reasons, result.stage, result.reason)
            return
        self.transcripts += 1
        if self.scored and result.reference is not None:
            self.scores.add(result.reference, result.text, spoken_language(result))


def spoken_language(transcript: Transcript) -> str | None:
    """The language that the source names in a column, else the one that was heard or asked for."""
    named = transcript.columns.get("language")
    return named if isinstance(named, str) else transcript.language


@dataclass(frozen=True, slots=True)
class FailureBudget:
    """How many clips may fail: ``most`` in all, None for any number; ``earlier`` ones count."""

    most: int | None = None
    earlier: int = 0

    def admit(self, result: Transcript | Failure, failures: int) -> None:
        """Raise TooManyFailuresError before a failure too many is written.

        So it is met again when the run goes on, in case its cause is gone by then.
        """
        if self.most is None or not isinstance(result, Failure):
            return
        if self.earlier + failures >= self.most:
            raise TooManyFailuresError(
                f"stopped at {result.name} ({result.stage}: {result.reason}): "
                + (f"more than {self.most:,} clips have failed" if self.most else "a clip failed")
            )


def write_all(
    results: Results,
    sink: Sink,
    display: Display,
    tally: RunStats,
    patience: FailureBudget | None = None,
) -> Exit:
    """Write every result; an interruption or a reader that went away ends it in good order."""
    patience = patience or FailureBudget()
    try:
        with closing(sink), closing(results), display:
            for result in results:
                patience.admit(result, tally.failures)
                display.before(result)
                with results.metrics.time("sink"):
                    sink.write(result)
                tally.count(result)
            if isinstance(sink, JournaledSink):
                sink.complete()
    except KeyboardInterrupt:
        say(f"interrupted: what was written stays ({tally.transcripts:,} transcripts)")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        drop_standard_output()
        return Exit.READER_GONE
    return exit_for(tally.transcripts, tally.failures)
