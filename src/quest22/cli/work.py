"""What ``transcribe`` and ``stream`` share: from flags to a loaded model and open sinks."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from quest22.cli.exits import Exit, say
from quest22.cli.figures import Figures
from quest22.cli.options import ModelFlags, OutputFlags, ReportFlags, SpeechFlags
from quest22.cli.progress import Occasion, choose_display
from quest22.cli.report import summarise
from quest22.cli.run import Results, Tally, carry_out
from quest22.job import Job, JobSettings
from quest22.settings import silence_progress_bars
from quest22.sink.captions import TIMED
from quest22.sink.open import OutputSettings, open_sinks, parse_formats
from quest22.stages import Sink

ENDINGS = {Exit.INTERRUPTED: "stopped"}
"""The word before the summary, where it is not ``done``."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked for; ``timestamps`` says whether plain text wants them too."""

    model: ModelFlags
    speech: SpeechFlags
    output: OutputFlags
    report: ReportFlags
    default_format: str
    timestamps: bool

    def output_settings(self) -> OutputSettings:
        named = self.output.output_format or [self.default_format]
        return OutputSettings(
            parse_formats(named), self.output.output_dir, overwrite=self.output.overwrite
        )

    def job_settings(self, formats: tuple[str, ...]) -> JobSettings:
        wanted = self.timestamps or bool(TIMED.intersection(formats))
        return JobSettings(
            self.model.settings(),
            self.speech.decoding(timestamps=wanted),
            self.speech.longform(),
            self.speech.audio(),
        )


@dataclass(slots=True)
class Started:
    """A loaded model and open sinks."""

    job: Job
    sink: Sink
    output: OutputSettings
    report: ReportFlags
    tally: Tally = field(default_factory=Tally)

    def carry_out(self, results: Results, title: str) -> Exit:
        """Write all results, with a display beside and a summary after."""
        occasion = Occasion(
            title=f"{title} → {Path(self.job.checkpoint_name).name} ({self.job.compute_type})",
            total=results.total,
            texts="headed" if self._texts_on_terminal() else "last",
            failures_kept=self.output.folder is not None,
        )
        display = choose_display(occasion, results.meter, quiet=self.report.quiet)
        code = carry_out(results, self.sink, display, self.tally)
        if not self.report.quiet and code is not Exit.READER_GONE:
            figures = Figures.of(results.meter)
            summarise(
                figures, self.tally.scores, ENDINGS.get(code, "done"), verbose=self.report.verbose
            )
            if self.output.folder is not None:
                say(f"results are in {self.output.folder}")
        return code

    def _texts_on_terminal(self) -> bool:
        return self.output.folder is None and sys.stdout.isatty()


@contextmanager
def start(work: Work) -> Iterator[Started]:
    """Check the flags, open the sinks, load the model: what fails, fails before the run."""
    output = work.output_settings()
    settings = work.job_settings(output.formats)
    quieten(work.report)
    sink = open_sinks(output)
    if not work.report.quiet and sys.stderr.isatty():
        say(f"loading {work.model.model} …")
    yield Started(Job(settings), sink, output, work.report)


def quieten(report: ReportFlags) -> None:
    """Keep foreign libraries from writing between our lines, unless more was asked for."""
    if report.quiet or not sys.stderr.isatty():
        silence_progress_bars()
    if report.verbose or report.debug:
        logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
        return
    warnings.simplefilter("ignore")
    logging.basicConfig(level=logging.CRITICAL)
