"""``quest22 bench live``: when words come out while sound is played at its own pace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from quest22.bench.live.peers import OURS, LivePeer, peers_named
from quest22.checkpoint.caches import best_model
from quest22.cli.bench import (
    MODEL,
    WORK,
    BenchReportFlags,
    ComputeTypeOption,
    ModelOption,
    ThreadsOption,
    bench_folder,
    silent,
)
from quest22.cli.bench_live_tables import live_table
from quest22.cli.bench_tables import machine_line
from quest22.cli.exits import Exit, say
from quest22.cli.flag_groups import FlagGroup, flag_group, grouped
from quest22.cli.schema_ids import schema_id
from quest22.cli.terminal import output_console
from quest22.errors import UsageError
from quest22.settings.forms import split_names
from quest22.settings.live import LiveSettings

if TYPE_CHECKING:
    from quest22.bench.live.measure import LiveBenchSettings, LiveMeasurement
    from quest22.bench.live.reference import Sound

EPILOG = """\
[bold]Examples[/]

quest22 bench live -m base

quest22 bench live talk.wav -m base --sessions 1,4,8 --json live.json

quest22 bench live -m base --sound speech,silence,music --minutes 10 --against whisperlivekit
"""
SPEECH = "speech"


@dataclass(frozen=True, slots=True)
class LiveWorkFlags:
    """What to play."""

    files: Annotated[
        list[str] | None,
        Argument(
            metavar="FILES",
            help="Recordings to play, or folders of them. Default: synthesised speech.",
            show_default=False,
        ),
    ] = None
    sound: Annotated[
        str | None,
        Option(
            help="Play this: [cyan]speech[/] (synthesised, with exact ends of words), "
            "[cyan]silence, room, street, music, hum, applause[/] (in which any word is invented).",
            rich_help_panel=WORK,
            metavar="A,B",
            show_default="the FILES, else speech",
        ),
    ] = None
    voices: Annotated[
        str | None,
        Option(
            help="Who speaks: [cyan]flite:slt, flite:rms, flite:awb, espeak:en-us, "
            "espeak:en-gb[/].",
            rich_help_panel=WORK,
            metavar="A,B",
            show_default="the three that Whisper's base understands best",
        ),
    ] = None
    minutes: Annotated[
        float | None,
        Option(
            help="Play for this long; short recordings are repeated.",
            rich_help_panel=WORK,
            metavar="M",
            show_default="2, or the length of the FILES",
        ),
    ] = None
    sessions: Annotated[
        str,
        Option(
            help="Sessions at once: numbers, each measured, or [cyan]max[/]: as many as keep up.",
            rich_help_panel=WORK,
            metavar="N|max",
        ),
    ] = "1"
    against: Annotated[
        str,
        Option(
            help="Compare with other programs: [cyan]whisperlivekit, whisperlivekit-alignatt, "
            "whisper_streaming, SimulStreaming, whisper.cpp, whisper.cpp-slow[/]; as "
            "[cyan]NAME=PLACE[/] the Python of its environment, or the program.",
            rich_help_panel=WORK,
            metavar="A,B=PLACE",
            show_default=False,
        ),
    ] = ""
    rounds: Annotated[
        int, Option(help="Play so often into each program.", rich_help_panel=WORK, metavar="N")
    ] = 1


@dataclass(frozen=True, slots=True)
class LiveModelFlags:
    """Which model to run, and how."""

    model: ModelOption = None
    language: Annotated[
        str,
        Option(
            "--language", "-l", help="Language of the sound.", rich_help_panel=MODEL, metavar="CODE"
        ),
    ] = "en"
    compute_type: ComputeTypeOption = "auto"
    threads: ThreadsOption = None


@flag_group(LiveSettings)
class PolicyFlags(FlagGroup):
    """When text is shown, committed and final."""


@grouped
def bench_live(
    work: LiveWorkFlags, subject: LiveModelFlags, policy: PolicyFlags, report: BenchReportFlags
) -> int:
    """Measure live captions: delays of words, errors, sessions at once, memory.

    Sound is played at its own pace into live sessions, and the time of each word is counted from
    its end in the sound. Each program runs in its own process, in turn. Measure on an idle machine.
    """
    from quest22.bench.live.measure import measure_live, with_bytes_a_session
    from quest22.cli.bench_report import LiveBenchReport, measured_machine, write_report

    _check(work)
    peers = _installed(peers_named(work.against))
    console = output_console()
    machine = measured_machine()
    console.print(machine_line(machine))
    with bench_folder(report.folder) as folder:
        bench = _settings(work, subject, policy, report, folder, peers)
        measured: list[LiveMeasurement] = []
        for each in measure_live(bench, _sounds(work, bench)):
            measured = with_bytes_a_session([*measured, each])
            written: LiveBenchReport = {
                "schema": schema_id("bench-live"),
                "machine": machine,
                "model": bench.model,
                "live": measured,
            }
            write_report(report.json_file, written)
    console.print(live_table(bench.model, measured, plain=not console.is_terminal))
    return Exit.DONE if any(each.summary for each in measured) else Exit.NOTHING_DONE


def _check(work: LiveWorkFlags) -> None:
    if work.rounds < 1:
        raise UsageError(f"--rounds is {work.rounds}: expected 1 or more")
    if work.minutes is not None and work.minutes <= 0:
        raise UsageError(f"--minutes is {work.minutes:g}: expected more than 0")


def _settings(
    work: LiveWorkFlags,
    subject: LiveModelFlags,
    policy: PolicyFlags,
    report: BenchReportFlags,
    folder: Path,
    peers: tuple[LivePeer, ...],
) -> LiveBenchSettings:
    from quest22.bench.live.measure import LiveBenchSettings

    model_options: dict[str, Any] = {"compute_type": subject.compute_type}
    if subject.threads is not None:
        model_options["threads"] = subject.threads
    return LiveBenchSettings(
        folder=folder,
        model=subject.model or best_model(),
        language=subject.language,
        sessions=_session_counts(work.sessions),
        rounds=work.rounds,
        threads=subject.threads,
        live_options=asdict(policy.make(LiveSettings)),
        model_options=model_options,
        programs=(OURS, *peers),
        log=silent if report.quiet else say,
    )


def _session_counts(text: str) -> tuple[int, ...] | None:
    if text == "max":
        return None
    names = split_names([text])
    if not names or not all(name.isdecimal() and int(name) for name in names):
        raise UsageError(f"--sessions {text!r}: expected numbers such as 1,4,8, or max")
    return tuple(map(int, names))


def _sounds(work: LiveWorkFlags, bench: LiveBenchSettings) -> list[Sound]:
    """What to play, made or decoded."""
    from quest22.bench.live.nonspeech import RECIPES, make
    from quest22.bench.live.recordings import recorded
    from quest22.bench.live.reference import Sound
    from quest22.bench.live.speech import DEFAULT_VOICES, synthesised

    names = split_names([work.sound or ("" if work.files else SPEECH)])
    if unknown := [name for name in names if name not in (SPEECH, *RECIPES)]:
        known = ", ".join((SPEECH, *RECIPES))
        raise UsageError(f"unknown sound {unknown[0]!r}: expected {known}")
    seconds = 60 * (2.0 if work.minutes is None else work.minutes)
    sounds = []
    if work.files:
        limit_s = 60 * (30.0 if work.minutes is None else work.minutes)
        sound = recorded(work.files, limit_s, bench.job({}), bench.folder)
        sounds.append(sound if work.minutes is None else sound.repeated(seconds))
    for name in names:
        if name == SPEECH:
            voices = split_names([work.voices]) if work.voices else DEFAULT_VOICES
            sounds.append(synthesised(seconds, voices))
        else:
            sounds.append(Sound(name, make(name, round(seconds)), (), ""))
    return sounds


def _installed(peers: Sequence[LivePeer]) -> tuple[LivePeer, ...]:
    """The installed programs; says which packages the others need."""
    found = []
    for peer in peers:
        if missing := peer.missing():
            say(f"skipping {peer.name}: {', '.join(missing)} not installed")
        else:
            found.append(peer)
    return tuple(found)
