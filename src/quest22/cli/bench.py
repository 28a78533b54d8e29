"""``quest22 bench``: speed, memory and where the time goes, compared with other programs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from typer import Argument, Option

from quest22.bench.peers import Peer, peers_named
from quest22.bench.workload import MEASURES
from quest22.checkpoint.caches import best_model
from quest22.cli.bench_tables import machine_line, outcome_table, parts_table, start_lines
from quest22.cli.exits import Exit, say
from quest22.cli.flag_groups import grouped
from quest22.cli.schema_ids import schema_id
from quest22.cli.terminal import output_console
from quest22.records import Samples
from quest22.settings.forms import read_count_or_auto, split_names

if TYPE_CHECKING:
    from quest22.bench.measures import BenchOutcome, BenchSettings

EPILOG = """\
[bold]Examples[/]

quest22 bench -m small talk.mp3

quest22 bench --shape tiny,base --against faster-whisper,transformers --json bench.json

quest22 bench --measures latency,start --compute-type int8
"""
WORK, MODEL, REPORT = "Work", "Model", "Reporting"

ModelOption: TypeAlias = Annotated[
    str | None,
    Option(
        "--model",
        "-m",
        metavar="NAME|ID|FOLDER",
        rich_help_panel=MODEL,
        help="The model.",
        show_default="the best one in the caches",
    ),
]
ComputeTypeOption: TypeAlias = Annotated[
    str,
    Option("--compute-type", "--dtype", help="Precision.", rich_help_panel=MODEL, metavar="TYPE"),
]
ThreadsOption: TypeAlias = Annotated[
    int | None, Option(help="CPU threads of the engine.", rich_help_panel=MODEL, metavar="N")
]


@dataclass(frozen=True, slots=True)
class WorkFlags:
    """What to measure."""

    source: Annotated[
        list[str] | None,
        Argument(
            metavar="SOURCE",
            help="Audio to measure with: files, folders, globs or URLs. Default: synthetic clips.",
            show_default=False,
        ),
    ] = None
    clips: Annotated[
        int, Option(help="Number of synthetic clips.", rich_help_panel=WORK, metavar="N")
    ] = 64
    clip_s: Annotated[
        float,
        Option(
            help="Duration of each synthetic clip, in seconds.", rich_help_panel=WORK, metavar="S"
        ),
    ] = 30.0
    seconds: Annotated[
        float,
        Option(
            help="Use at most this much audio of the files, in seconds.",
            rich_help_panel=WORK,
            metavar="S",
        ),
    ] = 1800.0
    measures: Annotated[
        str,
        Option(
            help=f"What to measure: [cyan]{', '.join(MEASURES)}[/].",
            rich_help_panel=WORK,
            metavar="A,B",
        ),
    ] = ",".join(MEASURES[:-1])
    against: Annotated[
        str,
        Option(
            help="Compare with other installed programs. Any of [cyan]faster-whisper, "
            "transformers, openvino-genai, whisper.cpp[/].",
            rich_help_panel=WORK,
            metavar="A,B",
            show_default=False,
        ),
    ] = ""
    rounds: Annotated[
        int,
        Option(help="Runs of each program; the median counts.", rich_help_panel=WORK, metavar="N"),
    ] = 5


@dataclass(frozen=True, slots=True)
class SubjectFlags:
    """Which model to run, and how."""

    model: ModelOption = None
    shape: Annotated[
        str,
        Option(
            help="Random weights of these sizes instead: [cyan]tiny,base[/] … Each "
            "window then has exactly [cyan]--new-tokens[/] tokens.",
            rich_help_panel=MODEL,
            metavar="A,B",
            show_default=False,
        ),
    ] = ""
    new_tokens: Annotated[
        int,
        Option(
            help="New tokens in each window, with [cyan]--shape[/].",
            rich_help_panel=MODEL,
            metavar="N",
        ),
    ] = 100
    language: Annotated[
        str,
        Option(
            "--language", "-l", help="Language of the audio.", rich_help_panel=MODEL, metavar="CODE"
        ),
    ] = "en"
    compute_type: ComputeTypeOption = "auto"
    also: Annotated[
        str,
        Option(
            help="Further precisions to measure.",
            rich_help_panel=MODEL,
            metavar="A,B",
            show_default=False,
        ),
    ] = ""
    batch_size: Annotated[
        str, Option(help="Windows per batch.", rich_help_panel=MODEL, metavar="N")
    ] = "auto"
    threads: ThreadsOption = None


@dataclass(frozen=True, slots=True)
class BenchReportFlags:
    """Where results go, and what is printed."""

    json_file: Annotated[
        Path | None,
        Option("--json", help="Write all results as JSON.", rich_help_panel=REPORT, metavar="FILE"),
    ] = None
    folder: Annotated[
        Path | None,
        Option(
            help="Keep generated files (models, audio, logs) for the next run.",
            rich_help_panel=REPORT,
            metavar="FOLDER",
        ),
    ] = None
    exporter: Annotated[
        str | None,
        Option(
            help="A Python with optimum-intel, to export models for OpenVINO GenAI.",
            rich_help_panel=REPORT,
            metavar="PYTHON",
        ),
    ] = None
    quiet: Annotated[
        bool, Option("--quiet", "-q", help="Print tables only.", rich_help_panel=REPORT)
    ] = False


@grouped
def bench(work: WorkFlags, subject: SubjectFlags, report: BenchReportFlags) -> int:
    """Measure speed, memory and where the time goes.

    Each program runs in its own process, in turn, on the same weights and audio. Results are
    medians. Measure on an idle machine.
    """
    from quest22.bench.measures import check_measure, measure
    from quest22.cli.bench_report import BenchReport, measured_machine, write_report

    measures = [check_measure(name) for name in split_names([work.measures])]
    peers = _installed(peers_named(work.against))
    console = output_console()
    written: BenchReport = {
        "schema": schema_id("bench"),
        "machine": measured_machine(),
        "outcomes": [],
    }
    console.print(machine_line(written["machine"]))
    with bench_folder(report.folder) as folder:
        for title, model in _models(subject, folder):
            settings = _bench(work, subject, report, folder, model, peers)
            for name in measures:
                outcome = replace(measure(name, settings, _clips(work)), model=title)
                console.print(*outcome_lines(title, outcome), sep="\n")
                written["outcomes"].append(outcome)
                write_report(report.json_file, written)
    return Exit.DONE


def outcome_lines(title: str, outcome: BenchOutcome) -> Iterator[object]:
    """Everything shown about a measure."""
    if outcome.results:
        yield outcome_table(title, outcome)
    if outcome.measure in ("throughput", "streamed") and outcome.results:
        yield parts_table(outcome.results[-1 if outcome.measure == "streamed" else 0])
    yield from start_lines(title, outcome)
    yield from outcome.complaints


def _installed(peers: list[Peer]) -> tuple[Peer, ...]:
    """The installed programs; says which packages the others need."""
    for peer in peers:
        if peer.missing:
            say(f"skipping {peer.name}: {', '.join(peer.missing)} not installed")
    return tuple(peer for peer in peers if not peer.missing)


@contextmanager
def bench_folder(named: Path | None) -> Iterator[Path]:
    """The folder for what is made on the way: the one that was named, or one that is removed."""
    if named is not None:
        named.mkdir(parents=True, exist_ok=True)
        yield named.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="quest22-bench-") as made:
        yield Path(made)


def _models(subject: SubjectFlags, folder: Path) -> Iterator[tuple[str, str]]:
    """The title of each model, and its name or folder."""
    from quest22.bench.random_checkpoint import random_model

    shapes = split_names([subject.shape])
    if not shapes:
        model = subject.model or best_model()
        yield model, model
    for shape in shapes:
        yield (
            f"{shape}, random weights, {subject.new_tokens} tokens a window",
            random_model(folder, shape),
        )


def _bench(
    work: WorkFlags,
    subject: SubjectFlags,
    report: BenchReportFlags,
    folder: Path,
    model: str,
    peers: tuple[Peer, ...],
) -> BenchSettings:
    from quest22.bench.measures import BenchSettings

    settings = BenchSettings(
        folder=folder,
        model=model,
        rounds=work.rounds,
        tokens=subject.new_tokens if subject.shape else None,
        language=subject.language,
        compute_type=subject.compute_type,
        batch_size=read_count_or_auto("batch_size", subject.batch_size),
        threads=subject.threads,
        exporter=report.exporter,
        also=tuple(split_names([subject.also])),
        peers=peers,
    )
    return replace(settings, log=silent if report.quiet else say)


def _clips(work: WorkFlags) -> list[Samples]:
    from quest22.bench.clips import read_clips, synthetic_clips

    if work.source:
        return read_clips(work.source, work.seconds)
    return synthetic_clips(work.clips, work.clip_s)


def silent(_text: str) -> None:
    """Print no progress."""
