"""What can be measured of a model: each measure makes its work in a folder and races over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from quest22.bench.clips import made_up_clips, write_parquet, write_sounds
from quest22.bench.comparison import Result, Tell, race
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
class Bench:
    """How to measure: ``folder`` for what is made on the way, ``rounds`` for the medians.

    ``tokens`` is how many a window must have, for models that never end by themselves; ``also``
    names compute types to measure beside the one asked for.
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
    tell: Tell = print

    def __post_init__(self) -> None:
        """Raises :class:`UsageError` for what no contender could do."""
        EngineSettings(batch_size=self.batch_size, threads=self.threads)
        for name in (self.compute_type, *self.also):
            choose_precision(name, ())

    def entries(self, work: Workload) -> list[tuple[Peer, Workload]]:
        """Ours, ours in other compute types, and the peers."""
        others = [
            (replace(OURS, name=f"quest22 {name}"), work.with_choice(name, work.batch_size))
            for name in self.also
        ]
        return [(OURS, work), *others, *((peer, work) for peer in self.peers)]

    def workload(self, name: str, clips: Sequence[Samples], **changes: Any) -> Workload:
        """Work over these clips, which are written down under a name."""
        sounds = self.folder / f"{name}.npy"
        write_sounds(sounds, clips)
        return Workload(
            model=self.model,
            sounds=str(sounds),
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
class Outcome:
    """What a measure found: results, ours first, and what could not be measured."""

    measure: str
    results: list[Result] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def measure(name: str, bench: Bench, clips: Sequence[Samples]) -> Outcome:
    """Carry out one of ``MEASURES``; raises :class:`UsageError` for another name."""
    measures = {
        "throughput": throughput,
        "latency": latency,
        "streamed": streamed,
        "start": start,
        "script": script,
    }
    return measures[checked(name)](bench, clips)


def checked(name: str) -> str:
    """The name of one of ``MEASURES``; raises :class:`UsageError` for another."""
    if name not in MEASURES:
        raise UsageError(f"unknown measure {name!r}: expected {', '.join(MEASURES)}")
    return name


def throughput(bench: Bench, clips: Sequence[Samples]) -> Outcome:
    """All clips, in memory, at each contender's best choice."""
    work = bench.workload("clips", clips)
    return Outcome("throughput", *race(bench.entries(work), bench.rounds, bench.tell))


def latency(bench: Bench, clips: Sequence[Samples]) -> Outcome:
    """One window of up to 30 s alone."""
    work = bench.workload("one", clips[:1], manner="single")
    return Outcome("latency", *race(bench.entries(work), bench.rounds, bench.tell))


def streamed(bench: Bench, clips: Sequence[Samples]) -> Outcome:
    """The same clips as FLAC in Parquet over HTTP, beside those in memory."""
    with RangeServer(_served(bench, "streamed", clips)) as server:
        memory = bench.workload("clips", clips)
        work = replace(memory, manner="stream", urls=(f"{server.url}/clips.parquet",))
        named = replace(OURS, name="quest22 streamed")
        found = race([(OURS, memory), (named, work)], bench.rounds, bench.tell)
    return Outcome("streamed", *found)


def script(bench: Bench, clips: Sequence[Samples]) -> Outcome:
    """Short clips, streamed, beside the script that this product began as."""
    count = max(8, len(clips) // 4)
    short = made_up_clips(count, SCRIPT_CLIP_S)
    with RangeServer(_served(bench, "short", short)) as server:
        urls = (f"{server.url}/clips.parquet",)
        work = bench.workload("short", short, tokens=SCRIPT_TOKENS, manner="stream", urls=urls)
        found = race([(OURS, work), (SCRIPT, work)], min(bench.rounds, 3), bench.tell)
    return Outcome("script", *found)


def start(bench: Bench, clips: Sequence[Samples]) -> Outcome:
    """From the command line to the first transcript: with an empty cache, then a warm one."""
    options = ["--compute-type", bench.compute_type]
    if bench.threads:
        options += ["--threads", str(bench.threads)]
    cold, warm = time_to_first_transcript(
        bench.folder, bench.model, clips[0], bench.rounds, options
    )
    bench.tell(f"start: {cold:.2f} s cold, {warm:.2f} s warm")
    return Outcome("start", seconds={"cold": cold, "warm": warm})


def _served(bench: Bench, name: str, clips: Sequence[Samples]) -> Path:
    """A folder with the clips as Parquet, to be served."""
    folder = bench.folder / name
    folder.mkdir(exist_ok=True)
    write_parquet(folder / "clips.parquet", clips)
    return folder
