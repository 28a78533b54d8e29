"""Measures everything that docs/performance.md shows, and fills the page in as figures come.

    python -m benchmarks.page [--only tiny,base] [--folder build/page]

The most telling figures come first, and the page is filled in after every step: a run that is cut
short leaves what it has. Some 15 minutes on two cores that nothing else keeps busy.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.document import PAGE, filled, tables
from quest22.bench.workload import MEASURES

SHAPES = ("tiny", "base")
PEERS = "faster-whisper,transformers,openvino-genai"
SPEED = "speed.json"


@dataclass(frozen=True, slots=True)
class Step:
    """A command of Python's; what it finds goes into a section of the page."""

    name: str
    section: str
    arguments: tuple[str, ...]

    def run(self, folder: Path) -> None:
        """Show what it prints, and keep it; raises :class:`CalledProcessError` where it fails."""
        command = [sys.executable, "-m", *self.arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            shown = []
            for line in process.stdout or ():
                print(line, end="", flush=True)
                shown.append(line)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        (folder / f"{self.name}.txt").write_text("".join(shown))


def steps(given: argparse.Namespace) -> list[Step]:
    """All of them, the most telling first."""
    rounds, folder = str(given.rounds), given.folder

    def bench(name: str, shape: str, measures: str, clips: int, *more: str) -> Step:
        arguments = ("--shape", shape, "--measures", measures, "--clips", str(clips), *more)
        kept = ("--folder", str(given.made), "--json", str(folder / f"{name}.json"))
        return Step(name, "speed", ("quest22", "bench", *arguments, "--rounds", rounds, *kept))

    peers = ("--against", given.against, "--also", "int8", "--exporter", given.exporter)
    growth = ("--shapes", ",".join(SHAPES), "--batches", "1,4,16", "--clips", str(given.clips))
    roofline = ("--shapes", ",".join(SHAPES), "--bench", str(folder / SPEED))
    return [
        bench("tiny", "tiny", "throughput,latency", given.clips, *peers),
        bench("streamed", "tiny", "streamed,start,script", 4 * given.clips),
        bench("base", "base", "throughput,latency", given.clips, *peers),
        Step("roofline", "roofline", ("benchmarks.roofline", *roofline)),
        Step("growth", "growth", ("benchmarks.growth", *growth, "--rounds", rounds)),
        Step("precision", "precision", ("benchmarks.precision",)),
    ]


def speed(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """The figures of all steps that gave some, measure by measure."""
    kept = [
        json.loads(path.read_text())
        for name in names
        if (path := folder / f"{name}.json").is_file()
    ]
    outcomes = [outcome for figures in kept for outcome in figures["outcomes"]]
    outcomes.sort(key=lambda outcome: MEASURES.index(outcome["measure"]))
    return {"machine": kept[0]["machine"], "outcomes": outcomes}


def fill(step: Step, folder: Path, names: Sequence[str]) -> None:
    """Put what a step found, if anything, into the page."""
    if not any((folder / f"{step.name}.{kind}").is_file() for kind in ("json", "txt")):
        return
    if step.section == "speed":
        figures = speed(folder, names)
        (folder / SPEED).write_text(json.dumps(figures, indent=1))
        content = tables(figures)
    else:
        content = (folder / f"{step.name}.txt").read_text()
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(filled(page, step.section, content), encoding="utf-8")


def options() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page")
    parser.add_argument("--only", help="of the steps, some: tiny, streamed, base, roofline, …")
    parser.add_argument("--clips", type=int, default=16, help="of 30 s, for each shape")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", default=PEERS)
    parser.add_argument("--exporter", default=".venv-export/bin/python")
    parser.add_argument("--folder", type=Path, default=Path("build/page"), help="for figures")
    parser.add_argument("--made", type=Path, default=Path("build/bench"), help="for models")
    parser.add_argument("--keep-page", action="store_true", help="leave the page as it is")
    return parser


def main() -> int:
    """Run the steps in order; one that fails is told, and the others go on."""
    given = options().parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    every = steps(given)
    wanted = given.only.split(",") if given.only else [step.name for step in every]
    names = [step.name for step in every if step.section == "speed"]
    failed = 0
    for step in every:
        if step.name not in wanted:
            continue
        begun_s = time.monotonic()
        try:
            step.run(given.folder)
        except subprocess.CalledProcessError as error:
            failed += 1
            print(f"{step.name}: failed: {error}", file=sys.stderr)
        finally:  # also what a step found before it was interrupted
            if not given.keep_page:
                fill(step, given.folder, names)
        print(f"{step.name}: {time.monotonic() - begun_s:.0f} s", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
