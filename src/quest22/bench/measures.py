"""The measures of ``quest22 bench``: each prepares a workload and compares the programs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from quest22.bench.clips import synthetic_clips, write_parquet, write_samples
from quest22.bench.comparison import Log, ProgramResult, compare
from quest22.bench.peers import OURS, SCRIPT, Peer
from quest22.bench.startup import time_to_first_transcript
from quest22.bench.workload import MEASURES, Workload
from quest22.demo.server import RangeServer
from quest22.engine.precision import choose_precision
from quest22.errors import UsageError
from quest22.records import Samples
from quest22.settings import EngineSettings

SCRIPT_CLIP_S, SCRIPT_TOKENS = 5.0, 30


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """How to measure: a ``folder`` for models, audio and logs, ``rounds`` for the medians.

    ``tokens`` is the exact number of new tokens in each window, for models whose text never ends;
    ``also`` names further compute types to measure.
    """

    folder: Path
    model: str
    rounds: int = 5
    tokens: int | None = None
    language: str | None = "en"
    compute_type: str = "auto"
    batch_size: int | None = None
    threads: int | None = None
    exporter: str | None = None
    also: tuple[str, ...] = ()
    peers: tuple[Peer, ...] = ()
    log: Log = print

    def __post_init__(self) -> None:
        """Raises :class:`UsageError` for settings that no program could run."""
        EngineSettings(batch_size=self.batch_size, threads=self.threads)
        for name in (self.compute_type, *self.also):
            choose_precision(name, ())

    def entries(self, work: Workload) -> list[tuple[Peer, Workload]]:
        """quest22, quest22 in other compute types, and the other programs."""
        others = [
            (replace(OURS, name=f"quest22 {name}"), work.with_configuration(name, work.batch_size))
            for name in self.also
        ]
        return [(OURS, work), *others, *((peer, work) for peer in self.peers)]

    def workload(self, name: str, clips: Sequence[Samples], **changes: Any) -> Workload:
        """A workload of these clips, which are stored under ``name``."""
        samples_file = self.folder / f"{name}.npy"
        write_samples(samples_file, clips)
        return Workload(
            model=self.model,
            samples_file=str(samples_file),
            lengths=tuple(map(len, clips)),
            scratch=str(self.folder),
            tokens=changes.pop("tokens", self.tokens),
            language=self.language,
            compute_type=self.compute_type,
            batch_size=self.batch_size,
            threads=self.threads,
            exporter=self.exporter,
            **changes,
        )


@dataclass(frozen=True, slots=True)
class BenchOutcome:
    """What came of a measure with a model."""

    measure: Annotated[str, "Its name in `--measures`."]
    results: Annotated[list[ProgramResult], "Of quest22 first."] = field(default_factory=list)
    complaints: Annotated[list[str], "A line for each program that failed."] = field(
        default_factory=list
    )
    seconds: Annotated[
        dict[str, float], "Times that belong to no program: `cold` and `warm` of `start`."
    ] = field(default_factory=dict)
    model: Annotated[str, "What was run: a model, or a shape of random weights."] = ""


def measure(name: str, bench: BenchSettings, clips: Sequence[Samples]) -> BenchOutcome:
    """Run one of ``MEASURES``; raises :class:`UsageError` for another name."""
    measures = {
        "throughput": throughput,
        "latency": latency,
        "streamed": streamed,
        "start": start,
        "script": script,
    }
    return measures[check_measure(name)](bench, clips)


def check_measure(name: str) -> str:
    """Return the name if it is one of ``MEASURES``; raise :class:`UsageError` otherwise."""
    if name not in MEASURES:
        raise UsageError(f"unknown measure {name!r}: expected {', '.join(MEASURES)}")
    return name


def throughput(bench: BenchSettings, clips: Sequence[Samples]) -> BenchOutcome:
    """All clips, in memory, with each program's fastest configuration."""
    work = bench.workload("clips", clips)
    return BenchOutcome("throughput", *compare(bench.entries(work), bench.rounds, bench.log))


def latency(bench: BenchSettings, clips: Sequence[Samples]) -> BenchOutcome:
    """A single window of up to 30 s."""
    work = bench.workload("one", clips[:1], kind="single")
    return BenchOutcome("latency", *compare(bench.entries(work), bench.rounds, bench.log))


def streamed(bench: BenchSettings, clips: Sequence[Samples]) -> BenchOutcome:
    """The same clips as FLAC in Parquet over HTTP, compared with clips in memory."""
    with RangeServer(_served(bench, "streamed", clips)) as server:
        memory = bench.workload("clips", clips)
        work = replace(memory, kind="stream", urls=(f"{server.url}/clips.parquet",))
        named = replace(OURS, name="quest22 streamed")
        compared = compare([(OURS, memory), (named, work)], bench.rounds, bench.log)
    return BenchOutcome("streamed", *compared)


def script(bench: BenchSettings, clips: Sequence[Samples]) -> BenchOutcome:
    """Short clips, streamed, compared with the script that quest22 began as."""
    count = max(8, len(clips) // 4)
    short = synthetic_clips(count, SCRIPT_CLIP_S)
    with RangeServer(_served(bench, "short", short)) as server:
        urls = (f"{server.url}/clips.parquet",)
        work = bench.workload("short", short, tokens=SCRIPT_TOKENS, kind="stream", urls=urls)
        compared = compare([(OURS, work), (SCRIPT, work)], min(bench.rounds, 3), bench.log)
    return BenchOutcome("script", *compared)


def start(bench: BenchSettings, clips: Sequence[Samples]) -> BenchOutcome:
    """From starting the command to its first transcript: with an empty cache, then a warm one."""
    options = ["--compute-type", bench.compute_type]
    if bench.threads:
        options += ["--threads", str(bench.threads)]
    cold, warm = time_to_first_transcript(
        bench.folder, bench.model, clips[0], bench.rounds, options
    )
    bench.log(f"start: {cold:.2f} s cold, {warm:.2f} s warm")
    return BenchOutcome("start", seconds={"cold": cold, "warm": warm})


def _served(bench: BenchSettings, name: str, clips: Sequence[Samples]) -> Path:
    """A folder that holds the clips as Parquet, to be served over HTTP."""
    folder = bench.folder / name
    folder.mkdir(exist_ok=True)
    write_parquet(folder / "clips.parquet", clips)
    return folder
