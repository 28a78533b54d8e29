"""What ``transcribe`` and ``stream`` share: from flags to results on the disk."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from quest22.cli.exits import Exit, say
from quest22.cli.figures import Figures
from quest22.cli.options import ModelFlags, SpeechFlags
from quest22.cli.output_options import OutputFlags, ReportFlags
from quest22.cli.progress import RunInfo, choose_display
from quest22.cli.report import reason_lines, summarise
from quest22.cli.run import FailureBudget, Results, RunStats, write_all
from quest22.cli.stats import write_stats
from quest22.env import silence_progress_bars
from quest22.metrics import Metrics
from quest22.protocols import Sink, Source
from quest22.runtime.build import Pipeline, client_within
from quest22.settings import OutputSettings, PipelineSettings
from quest22.sink.build import open_sinks
from quest22.sink.formats.captions import TIMED

if TYPE_CHECKING:
    from quest22.source.io.retry import RetryingClient


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
        return self.output.settings(self.default_format)

    def job_settings(self, formats: tuple[str, ...]) -> PipelineSettings:
        wanted = self.timestamps or bool(TIMED.intersection(formats))
        words = self.output.captions().needs_words
        return PipelineSettings(
            self.model.settings(),
            self.speech.decoding(timestamps=wanted, words=words),
            self.speech.longform(),
            self.speech.audio(),
            hallucination=self.speech.guards(),
            memory=self.speech.bounds(),
            vad=self.speech.voice.settings(),
        )


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Where the sound comes from: in words, as clips, and how many clips were asked for at most."""

    title: str
    source: Callable[[RetryingClient], Source]
    most: int | None = None


def perform(work: Work, speech: InputSpec) -> Exit:
    """Transcribe and write it all.

    Flags, source and outputs are looked at before the model is loaded, which may take long.
    """
    output = work.output_settings()
    settings = work.job_settings(output.formats)
    configure_logging(work.report)
    metrics = Metrics()
    shown = open_sinks(output) if output.folder is None else None
    source = speech.source(client_within(settings.memory, metrics))
    sink = shown or open_sinks(output)
    if not work.report.quiet and sys.stderr.isatty():
        say(f"loading {work.model.model} …")
    job = Pipeline(settings, metrics)
    patience = FailureBudget(work.output.failures_borne())
    occasion = occasion_of(job, speech, output)
    code = write_results(job.run(source), sink, work.report, occasion, patience)
    tell_folder(work, code, work.output.output_dir)
    return code


def tell_folder(work: Work, code: Exit, folder: Path | None) -> None:
    """Say where the results are, if anyone wants to know."""
    shown = not work.report.quiet and code is not Exit.READER_GONE
    if shown and folder is not None:
        say(f"results are in {folder}")


def occasion_of(job: Pipeline, speech: InputSpec, output: OutputSettings) -> RunInfo:
    """What the display of a run is about."""
    model = f"{Path(job.checkpoint_name).name} ({job.compute_type})"
    texts_here = output.folder is None and sys.stdout.isatty()
    return RunInfo(
        title=f"{speech.title} → {model}",
        total=speech.most,
        texts="headed" if texts_here else "last",
        failures_kept=output.folder is not None,
    )


def write_results(
    results: Results,
    sink: Sink,
    report: ReportFlags,
    occasion: RunInfo,
    patience: FailureBudget,
    tally: RunStats | None = None,
) -> Exit:
    """Write all results, with a display beside and a summary after."""
    if results.total is not None:
        occasion = replace(occasion, total=results.total)
    display = choose_display(occasion, results.metrics, quiet=report.quiet)
    tally = tally or RunStats()
    code = Exit.NOTHING_DONE
    try:
        code = write_all(results, sink, display, tally, patience)
    finally:
        if report.stats_json is not None:
            write_stats(report.stats_json, results.metrics, tally, code)
    if not report.quiet and code is not Exit.READER_GONE:
        ending = "stopped" if code is Exit.INTERRUPTED else "done"
        figures = Figures.of(results.metrics)
        summarise(figures, tally.scores, ending, verbose=report.verbose)
        for line in reason_lines(tally.reasons):
            say(line)
    return code


def configure_logging(report: ReportFlags) -> None:
    """Keep foreign libraries from writing between our lines, unless more was asked for."""
    if report.quiet or not sys.stderr.isatty():
        silence_progress_bars()
    if report.verbose or report.debug:
        logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
        return
    warnings.simplefilter("ignore")
    said = _Said()
    said.addFilter(logging.Filter("quest22"))
    logging.basicConfig(level=logging.CRITICAL, handlers=[said])
    logging.getLogger("quest22").setLevel(logging.ERROR if report.quiet else logging.WARNING)


class _Said(logging.Handler):
    """The product's own warnings, as lines like all others."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())
