"""``quest22 demo``: the whole product in one command, without a network.

A local web server serves the embedded samples; ``datasets`` streams them with range requests, and
the embedded model transcribes them. No audio is read from disk.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.rule import Rule
from rich.text import Text
from typer import Option

from quest22.cli.exits import Exit
from quest22.cli.figures import size
from quest22.cli.flag_groups import grouped
from quest22.cli.output_flags import ReportFlags
from quest22.cli.progress import EventDisplay, RunInfo
from quest22.cli.report import left_out_lines, score_lines, time_table, totals
from quest22.cli.run import exit_after, say_interrupted
from quest22.cli.terminal import configure_logging
from quest22.cli.word_diff import ComparisonSink
from quest22.demo.server import RangeServer, Traffic
from quest22.env import bypass_proxy
from quest22.errors import SourceError
from quest22.metrics import Metrics
from quest22.runs.figures import Figures
from quest22.runs.summary import RunStats
from quest22.runs.write import WriteOptions, write_results
from quest22.runtime.build import Pipeline, Run
from quest22.settings import DEFAULT_MODEL, DatasetSettings, EngineSettings, PipelineSettings

NEXT = """\
Your own file:        [cyan]quest22 transcribe talk.mp3 -m small[/]
A dataset on the Hub: [cyan]quest22 stream hf-internal-testing/librispeech_asr_dummy clean \
--split validation -m tiny[/]
Check your machine:   [cyan]quest22 doctor[/]"""


@dataclass(frozen=True, slots=True)
class DemoFlags:
    """Model and number of clips of the demo."""

    model: Annotated[
        str, Option("--model", "-m", metavar="NAME|ID|FOLDER", help="Model to use.")
    ] = DEFAULT_MODEL
    take: Annotated[int | None, Option(metavar="N", help="Stop after this many clips.")] = None


@grouped
def demo(flags: DemoFlags, report: ReportFlags) -> int:
    """Stream the embedded samples over local HTTP through the embedded model.

    Shows each transcript beside its reference, then the error rate, the speed and where the time
    went. Works offline.
    """
    configure_logging(report)
    bypass_proxy("127.0.0.1")
    files = sample_files()
    console = _console(quiet=report.quiet)
    with ExitStack() as opened:
        server = opened.enter_context(RangeServer(files[0].parent))
        total = count_rows(files) if flags.take is None else min(flags.take, count_rows(files))
        console.print(_introduction(server.url, len(files), total))
        with console.status(f"loading {flags.model} …"):
            pipeline = Pipeline(PipelineSettings(engine=EngineSettings(model=flags.model)))
        opened.enter_context(pipeline)
        run = pipeline.stream(_rows(server.url, files, flags.take))
        title = (
            f"{pipeline.checkpoint_name} in {pipeline.compute_type}, batch size "
            f"{pipeline.batch_size}"
        )
        display = EventDisplay(
            RunInfo(title, texts="none"),
            quiet=report.quiet,
            console=console if console.stderr else None,
        )
        stats = RunStats()
        code = _write(run, ComparisonSink(console), display, WriteOptions(total, stats))
        _conclude(console, run.metrics, stats, server.traffic)
    if code is Exit.DONE:
        console.print(NEXT)
    return code


def _write(run: Run, sink: ComparisonSink, display: EventDisplay, options: WriteOptions) -> Exit:
    try:
        return exit_after(lambda: write_results(run, sink, display, options))
    except KeyboardInterrupt:
        say_interrupted(options.stats)
        return Exit.INTERRUPTED


def _rows(url: str, files: Sequence[Path], take: int | None) -> DatasetSettings:
    urls = tuple(f"{url}/{file.name}" for file in files)
    return DatasetSettings("parquet", data_files=urls, keep_columns=("language",), take=take)


def sample_files() -> list[Path]:
    """The embedded samples; raises :class:`SourceError` if they are not installed."""
    folder = Path(str(resources.files("quest22.demo") / "samples"))
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise SourceError("this installation lacks the demo's samples: reinstall quest22")
    return files


def count_rows(files: Sequence[Path]) -> int:
    """The number of clips, from the files' footers, so that the display can show progress."""
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in files)


def _console(*, quiet: bool) -> Console:
    """One console if texts and display go to the same terminal, otherwise a separate one."""
    shared = sys.stdout.isatty() and sys.stderr.isatty() and not quiet
    return Console(stderr=shared, highlight=False, soft_wrap=not sys.stdout.isatty())


def _introduction(url: str, files: int, total: int) -> Text:
    return Text.assemble(
        ("quest22 demo", "bold"),
        " · streaming ",
        (f"{total} clips", "bold"),
        f" in {files} Parquet files over HTTP from ",
        (url, "cyan"),
        "\n",
    )


def _conclude(console: Console, metrics: Metrics, stats: RunStats, traffic: Traffic) -> None:
    figures = Figures.of(metrics)
    console.print(Rule(style="dim"))
    console.print(totals(figures))
    for line in score_lines(stats.scores):
        console.print(line)
    sent = f"{size(traffic.bytes_sent)} in {traffic.requests:,} range requests"
    console.print(f"streamed {sent}; nothing was downloaded first")
    console.print(time_table(figures))
    for left_out in left_out_lines(stats.left_out):
        console.print(left_out)
    console.print()
