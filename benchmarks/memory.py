"""Resident memory over streams that are long in one way or another, each in a process of its own.

Over HTTP, with an engine that costs nothing: so everything comes as fast as it can.
"""

from __future__ import annotations

import gc
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import corpora
from benchmarks.fakes import FakeEngine, results
from quest22.demo.server import RangeServer
from quest22.metrics import Metrics
from quest22.settings import DatasetSettings, MemorySettings

POINTS = (0.05, 0.5, 1.0)


@dataclass(frozen=True)
class Load:
    """A stream: what it is, the kind of its files and their names, how many clips come."""

    name: str
    builder: str
    files: tuple[str, ...]
    clips: int


@dataclass(frozen=True)
class Measured:
    """Resident memory in MB: before the stream, at ``POINTS`` of its clips, and at its highest."""

    load: Load
    hours: float
    before: float
    points: tuple[float, ...]
    highest: float

    def row(self, limit_mb: float) -> str:
        grown = self.highest - self.before
        at = "".join(f"{point:8.0f}" for point in self.points)
        return (
            f"{self.load.name:46}{self.load.clips:7,}{self.hours:8.1f}{self.before:8.0f}{at}"
            f"{self.highest:8.0f}{grown:8.0f}{grown / limit_mb:8.2f}"
        )


HEADING = (
    f"{'resident memory in MB':46}{'clips':>7}{'hours':>8}{'before':>8}"
    + "".join(f"{f'at {point:.0%}':>8}" for point in POINTS)
    + f"{'highest':>8}{'grown':>8}{'÷ limit':>8}"
)


def clips(folder: Path) -> Load:
    """20,000 short clips: a file of 2,000, ten times."""
    path = corpora.write_parquet(folder / "clips.parquet", 2000, group=200, seconds=2.0)
    names = tuple(f"{path.name}?{turn}" for turn in range(10))
    return Load("20,000 clips of 2 s", "parquet", names, 20_000)


def groups(folder: Path) -> Load:
    """Row groups of 300 MB in pages of a few rows."""
    path = corpora.write_parquet(folder / "a.parquet", 960, group=320, seconds=30.0, pages=True)
    return Load("Parquet, row groups of 307 MB, pages of 1 MB", "parquet", (path.name,), 960)


def pages(folder: Path) -> Load:
    """Row groups of 300 MB in one page each."""
    path = corpora.write_parquet(folder / "b.parquet", 960, group=320, seconds=30.0)
    return Load("Parquet, row groups of 307 MB in one page", "parquet", (path.name,), 960)


def hours(folder: Path) -> Load:
    """Recordings of ten hours, named by JSON lines."""
    path = corpora.write_silence(folder / "long.wav", 10)
    lines = corpora.write_lines(folder / "long.jsonl", [path, path])
    return Load("recordings of 10 h (576 MB)", "json", (lines.name,), 2)


def members(folder: Path) -> Load:
    """Recordings of ten hours within tar files."""
    path = corpora.write_silence(folder / "member.wav", 10)
    names = tuple(corpora.write_tar(folder / f"{n}.tar", [path]).name for n in range(2))
    return Load("members of tars of 10 h (576 MB)", "webdataset", names, 2)


LOADS: dict[str, Callable[[Path], Load]] = {
    each.__name__: each for each in (clips, groups, pages, hours, members)
}


def measure(name: str, folder: Path, memory_bytes: int) -> Measured:
    """Serve a load from this process and stream it in another."""
    load = LOADS[name](folder)
    with (
        RangeServer(folder) as server,
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as child,
    ):
        return child.submit(_stream, load, server.url, memory_bytes).result()


def _stream(load: Load, url: str, memory_bytes: int) -> Measured:
    files = tuple(f"{url}/{name}" for name in load.files)
    dataset = DatasetSettings(load.builder, data_files=files)
    _bring_up(dataset)
    before, metrics, points = _resident_mb(), Metrics(), []
    marks = [max(1, round(point * load.clips)) for point in POINTS]
    for number, result in enumerate(
        results(dataset, FakeEngine(), metrics, MemorySettings.of(memory_bytes)), start=1
    ):
        if not hasattr(result, "text"):
            sys.exit(f"a clip failed: {result}")
        points += [_resident_mb()] * marks.count(number)
    if metrics.counts()["clips"] != load.clips:
        sys.exit(f"{load.clips} clips were expected, {metrics.counts()['clips']:.0f} came")
    heard_h = metrics.counts()["audio_s"] / 3600
    return Measured(load, heard_h, before, tuple(points), _highest_mb())


def _bring_up(dataset: DatasetSettings) -> None:
    """Import what every run imports, so that it is not counted as the stream's."""
    from quest22.source.dataset import DatasetSource

    import_only = DatasetSource(dataset, Metrics())
    import_only.columns  # noqa: B018
    import av  # noqa: F401
    import soxr  # noqa: F401

    gc.collect()


def _resident_mb() -> float:
    return _status("VmRSS")


def _highest_mb() -> float:
    return _status("VmHWM")


def _status(name: str) -> float:
    """A figure of this process from the kernel, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6
