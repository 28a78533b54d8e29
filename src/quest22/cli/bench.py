"""``quest22 bench``: how fast this machine is, where the time goes, and beside other programs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from quest22.bench.peers import Peer, peers_named
from quest22.bench.workload import MEASURES
from quest22.cli.benchtables import machine_line, outcome_table, parts_table, start_lines
from quest22.cli.console import output_console
from quest22.cli.dataset_options import parse_names
from quest22.cli.exits import Exit, say
from quest22.cli.flags import grouped
from quest22.cli.options import parse_batch_size
from quest22.records import Samples
from quest22.settings import DEFAULT_MODEL
from quest22.system.machine import describe

if TYPE_CHECKING:
    from quest22.bench.measures import Bench, Outcome

EPILOG = """\
[bold]Examples[/]

quest22 bench -m small talk.mp3

quest22 bench --shape tiny,base --against faster-whisper,transformers --json bench.json

quest22 bench --measures latency,start --compute-type int8
"""
WORK, MODEL, REPORT = "Work", "Model", "Reporting"


@dataclass(frozen=True, slots=True)
class WorkFlags:
    """What there is to do."""

    source: Annotated[
        list[str] | None,
        Argument(
            metavar="SOURCE",
            help="Files, folders, globs or URLs whose sound is measured; made up without.",
            show_default=False,
        ),
    ] = None
    clips: Annotated[
        int, Option(help="How many clips are made up.", rich_help_panel=WORK, metavar="N")
    ] = 64
    clip_s: Annotated[
        float, Option(help="Seconds of each of them.", rich_help_panel=WORK, metavar="S")
    ] = 30.0
    seconds: Annotated[
        float, Option(help="Of files, no more sound.", rich_help_panel=WORK, metavar="S")
    ] = 1800.0
    measures: Annotated[
        str, Option(help="Of these, some.", rich_help_panel=WORK, metavar="A,B")
    ] = ",".join(MEASURES[:-1])
    against: Annotated[
        str,
        Option(
            help="Other programs, if installed: [cyan]faster-whisper, transformers, "
            "openvino-genai, whisper.cpp[/].",
            rich_help_panel=WORK,
            metavar="A,B",
            show_default=False,
        ),
    ] = ""
    rounds: Annotated[
        int, Option(help="Runs of each, in turn.", rich_help_panel=WORK, metavar="N")
    ] = 5


@dataclass(frozen=True, slots=True)
class SubjectFlags:
    """Which model runs, and how."""

    model: Annotated[
        str,
        Option("--model", "-m", metavar="NAME|ID|FOLDER", rich_help_panel=MODEL, help="A model."),
    ] = DEFAULT_MODEL
    shape: Annotated[
        str,
        Option(
            help="Random weights of true shapes instead: [cyan]tiny, base, small[/] … Every "
            "window then has exactly so many new tokens.",
            rich_help_panel=MODEL,
            metavar="A,B",
            show_default=False,
        ),
    ] = ""
    new_tokens: Annotated[
        int, Option(help="New tokens a window, for a shape.", rich_help_panel=MODEL, metavar="N")
    ] = 100
    language: Annotated[
        str, Option("--language", "-l", help="Spoken.", rich_help_panel=MODEL, metavar="CODE")
    ] = "en"
    compute_type: Annotated[
        str,
        Option(
            "--compute-type", "--dtype", help="Precision.", rich_help_panel=MODEL, metavar="TYPE"
        ),
    ] = "auto"
    also: Annotated[
        str,
        Option(
            help="Other precisions, measured beside it.",
            rich_help_panel=MODEL,
            metavar="A,B",
            show_default=False,
        ),
    ] = ""
    batch_size: Annotated[
        str, Option(help="Windows run at once.", rich_help_panel=MODEL, metavar="N")
    ] = "auto"
    threads: Annotated[
        int | None, Option(help="Threads of the engine.", rich_help_panel=MODEL, metavar="N")
    ] = None


@dataclass(frozen=True, slots=True)
class BenchReportFlags:
    """Where it is written, and what is said meanwhile."""

    json_file: Annotated[
        Path | None,
        Option("--json", help="All figures, as JSON.", rich_help_panel=REPORT, metavar="FILE"),
    ] = None
    folder: Annotated[
        Path | None,
        Option(
            help="Keep what is made (models, sounds, logs) for the next time.",
            rich_help_panel=REPORT,
            metavar="FOLDER",
        ),
    ] = None
    exporter: Annotated[
        str | None,
        Option(
            help="A Python with optimum-intel, to make OpenVINO GenAI's models.",
            rich_help_panel=REPORT,
            metavar="PYTHON",
        ),
    ] = None
    quiet: Annotated[
        bool, Option("--quiet", "-q", help="Tables alone.", rich_help_panel=REPORT)
    ] = False


@grouped
def bench(work: WorkFlags, subject: SubjectFlags, report: BenchReportFlags) -> int:
    """Measure speed, memory and where the time goes.

    Contenders run in processes of their own, in turn, on the same weights and
    sound; figures are medians. Nothing is measured well on a busy machine.
    """
    from quest22.bench.measures import checked, measure
    from quest22.native.library import instruction_set

    wanted = [checked(name) for name in parse_names([work.measures])]
    peers = _installed(peers_named(work.against))
    console = output_console()
    found = describe() | {"native": instruction_set()}
    console.print(machine_line(found))
    written: list[dict[str, object]] = []
    with _folder(report.folder) as folder:
        for title, model in _models(subject, folder):
            settings = _bench(work, subject, report, folder, model, peers)
            for name in wanted:
                outcome = measure(name, settings, _clips(work))
                console.print(*outcome_lines(title, outcome), sep="\n")
                written.append({"model": title, **asdict(outcome)})
                if report.json_file is not None:
                    text = json.dumps({"machine": found, "outcomes": written}, indent=1)
                    report.json_file.write_text(text + "\n", encoding="utf-8")
    return Exit.DONE


def outcome_lines(title: str, outcome: Outcome) -> Iterator[object]:
    """All that is shown of a measure."""
    if outcome.results:
        yield outcome_table(title, outcome)
    if outcome.measure in ("throughput", "streamed") and outcome.results:
        yield parts_table(outcome.results[-1 if outcome.measure == "streamed" else 0])
    yield from start_lines(title, outcome)
    yield from outcome.complaints


def _installed(peers: list[Peer]) -> tuple[Peer, ...]:
    """Those that are there; of the others, what is missing is said."""
    for peer in peers:
        if peer.missing:
            say(f"{peer.name} is left out: {', '.join(peer.missing)} not installed")
    return tuple(peer for peer in peers if not peer.missing)


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    if named is not None:
        named.mkdir(parents=True, exist_ok=True)
        yield named.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="quest22-bench-") as made:
        yield Path(made)


def _models(subject: SubjectFlags, folder: Path) -> Iterator[tuple[str, str]]:
    """What to call each model, and where it is."""
    from quest22.bench.subject import random_model

    shapes = parse_names([subject.shape])
    if not shapes:
        yield subject.model, subject.model
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
) -> Bench:
    from quest22.bench.measures import Bench

    made = Bench(
        folder=folder,
        model=model,
        rounds=work.rounds,
        tokens=subject.new_tokens if subject.shape else None,
        language=subject.language,
        compute_type=subject.compute_type,
        batch_size=parse_batch_size(subject.batch_size),
        threads=subject.threads,
        exporter=report.exporter,
        also=tuple(parse_names([subject.also])),
        peers=peers,
    )
    return replace(made, tell=_silent if report.quiet else say)


def _clips(work: WorkFlags) -> list[Samples]:
    from quest22.bench.sounds import made_up_clips
    from quest22.bench.subject import sounds_of

    if work.source:
        return sounds_of(work.source, work.seconds)
    return made_up_clips(work.clips, work.clip_s)


def _silent(_text: str) -> None:
    """Where nothing is to be said."""
