"""``quest22 demo``: the whole product in one command, by default without a network.

A local web server serves the embedded samples or a folder; they are streamed with range requests,
and a model transcribes them. No audio is read from disk.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.rule import Rule
from rich.text import Text
from typer import Option

from quest22.checkpoint.known_models import EMBEDDED_MODELS
from quest22.cli.doctor_checks import State, check_hub
from quest22.cli.exits import Exit, say
from quest22.cli.figures import size
from quest22.cli.flag_groups import grouped
from quest22.cli.output_flags import ReportFlags
from quest22.cli.progress import EventDisplay, RunInfo
from quest22.cli.report import left_out_lines, score_lines, time_table, totals
from quest22.cli.run import exit_after, say_interrupted
from quest22.cli.terminal import configure_logging
from quest22.cli.word_diff import ComparisonSink
from quest22.demo.recordings import (
    Recordings,
    folder_recordings,
    people_recordings,
    sample_recordings,
)
from quest22.demo.server import RangeServer, Traffic
from quest22.env import bypass_proxy, hub_token
from quest22.metrics import Metrics
from quest22.runs.figures import Figures
from quest22.runs.summary import RunStats
from quest22.runs.write import WriteOptions, write_results
from quest22.runtime.build import Pipeline, Run, with_model
from quest22.settings import EngineSettings, PipelineSettings

NEXT = """\
Your own file:        [cyan]quest22 transcribe talk.mp3 -m small[/]
A dataset on the Hub: [cyan]quest22 stream hf-internal-testing/librispeech_asr_dummy clean \
--split validation -m tiny[/]
Check your machine:   [cyan]quest22 doctor[/]"""


@dataclass(frozen=True, slots=True)
class DemoFlags:
    """Model and recordings of the demo."""

    model: Annotated[
        str | None,
        Option(
            "--model",
            "-m",
            metavar="NAME|ID|FOLDER",
            help="Model to use.",
            show_default="nano; for --folder the best one in the caches",
        ),
    ] = None
    folder: Annotated[
        Path | None,
        Option(
            help="Transcribe the recordings in this folder instead; texts to compare with are read "
            "from its metadata.csv, if there is one.",
            metavar="FOLDER",
        ),
    ] = None
    take: Annotated[int | None, Option(metavar="N", help="Stop after this many clips.")] = None

    def recordings(self) -> Recordings:
        """Those in the folder; else, for a real model, people's speech if the Hub responds."""
        if self.folder is not None:
            return folder_recordings(self.folder, self.take)
        if self.model in (None, *EMBEDDED_MODELS):
            return sample_recordings(self.take)
        hub = check_hub()
        if hub.state is State.GOOD:
            return people_recordings(self.take)
        say(
            f"{hub.found}: no people's speech without the Hub, so this is the samples' synthetic "
            "voices; name your own recordings with --folder"
        )
        return sample_recordings(self.take)

    def settings(self) -> PipelineSettings:
        """The embedded model for its own samples, no model by default for anything else."""
        model = self.model or (None if self.folder else EMBEDDED_MODELS[0])
        return PipelineSettings(EngineSettings(model, token=hub_token()))


@grouped
def demo(flags: DemoFlags, report: ReportFlags) -> int:
    """Stream recordings through a model and show each transcript beside its reference.

    Without flags, the embedded samples, which are synthetic voices, go over local HTTP through the
    embedded model, which knows only their words; this works offline. With [cyan]--model[/] it is
    people's speech from the Hub, or with [cyan]--folder[/] your own.
    """
    configure_logging(report)
    bypass_proxy("127.0.0.1")
    recordings = flags.recordings()
    model, settings = with_model(flags.settings())
    console = _console(quiet=report.quiet)
    with ExitStack() as opened:
        server = opened.enter_context(RangeServer(recordings.served)) if recordings.served else None
        url = server.url if server else ""
        console.print(_introduction(recordings, url))
        with console.status(f"loading {model} …"):
            pipeline = opened.enter_context(Pipeline(settings))
        stats = RunStats()
        run = recordings.start(pipeline, url)
        display = _display(pipeline, console, quiet=report.quiet)
        code = _write(run, ComparisonSink(console), display, WriteOptions(recordings.total, stats))
        _conclude(console, run.metrics, stats, server.traffic if server else None)
    if code is Exit.DONE:
        console.print(NEXT)
    return code


def _display(pipeline: Pipeline, console: Console, *, quiet: bool) -> EventDisplay:
    title = (
        f"{Path(pipeline.checkpoint_name).name} in {pipeline.compute_type}, batch size "
        f"{pipeline.batch_size}"
    )
    shared = console if console.stderr else None
    return EventDisplay(RunInfo(title, texts="none"), quiet=quiet, console=shared)


def _write(run: Run, sink: ComparisonSink, display: EventDisplay, options: WriteOptions) -> Exit:
    try:
        return exit_after(lambda: write_results(run, sink, display, options))
    except KeyboardInterrupt:
        say_interrupted(options.stats)
        return Exit.INTERRUPTED


def _console(*, quiet: bool) -> Console:
    """One console if texts and display go to the same terminal, otherwise a separate one."""
    shared = sys.stdout.isatty() and sys.stderr.isatty() and not quiet
    return Console(stderr=shared, highlight=False, soft_wrap=not sys.stdout.isatty())


def _introduction(recordings: Recordings, url: str) -> Text:
    """``url`` is empty for recordings that no local server gives."""
    text = Text.assemble(("quest22 demo", "bold"), " · streaming ", (recordings.described, "bold"))
    if url:
        text.append(" over HTTP from ").append(url, "cyan")
    return text.append("\n")


def _conclude(console: Console, metrics: Metrics, stats: RunStats, traffic: Traffic | None) -> None:
    """``traffic`` is the local server's; None for recordings from elsewhere."""
    figures = Figures.of(metrics)
    console.print(Rule(style="dim"))
    console.print(totals(figures))
    for line in score_lines(stats.scores):
        console.print(line)
    if traffic is None:
        sent = f"{size(figures.received_bytes)} from the Hub"
    else:
        sent = f"{size(traffic.bytes_sent)} in {traffic.requests:,} range requests"
    console.print(f"streamed {sent}; nothing was downloaded first")
    console.print(time_table(figures))
    for left_out in left_out_lines(stats.left_out):
        console.print(left_out)
    console.print()
