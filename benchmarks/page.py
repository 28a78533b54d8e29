"""Runs the benchmarks shown in docs/performance.md and updates the page after each.

    python -m benchmarks.page [--only tiny,base] [--folder build/page]

The most important benchmarks run first, so that an interrupted run still updates the page with what
it has. Takes about 15 minutes on two idle cores.
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
    """A Python command whose results go into a section of the page."""

    name: str
    section: str
    arguments: tuple[str, ...]

    def run(self, folder: Path) -> None:
        """Run it, print and store its output; raises :class:`CalledProcessError` if it fails."""
        command = [sys.executable, "-m", *self.arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            lines = []
            for line in process.stdout or ():
                print(line, end="", flush=True)
                lines.append(line)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        (folder / f"{self.name}.txt").write_text("".join(lines))


def steps(given: argparse.Namespace) -> list[Step]:
    """All steps, the most important first."""
    rounds, folder = str(given.rounds), given.folder

    def bench(name: str, shape: str, measures: str, clips: int, *more: str) -> Step:
        arguments = ("--shape", shape, "--measures", measures, "--clips", str(clips), *more)
        files = ("--folder", str(given.made), "--json", str(folder / f"{name}.json"))
        return Step(name, "speed", ("quest22", "bench", *arguments, "--rounds", rounds, *files))

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
    """The results of all steps that have some, ordered by measure."""
    results = [
        json.loads(path.read_text())
        for name in names
        if (path := folder / f"{name}.json").is_file()
    ]
    outcomes = [outcome for figures in results for outcome in figures["outcomes"]]
    outcomes.sort(key=lambda outcome: MEASURES.index(outcome["measure"]))
    return {"machine": results[0]["machine"], "outcomes": outcomes}


def fill(step: Step, folder: Path, names: Sequence[str]) -> None:
    """Insert the results of a step, if there are any, into the page."""
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
    parser.add_argument("--only", help="run only these steps: tiny, streamed, base, roofline, …")
    parser.add_argument("--clips", type=int, default=16, help="number of 30 s clips for each shape")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", default=PEERS)
    parser.add_argument("--exporter", default=".venv-export/bin/python")
    parser.add_argument("--folder", type=Path, default=Path("build/page"), help="for results")
    parser.add_argument("--made", type=Path, default=Path("build/bench"), help="for models")
    parser.add_argument("--keep-page", action="store_true", help="leave the page as it is")
    return parser


def main() -> int:
    """Run the steps in order; report a step that fails and continue."""
    given = options().parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    every = steps(given)
    selected = given.only.split(",") if given.only else [step.name for step in every]
    names = [step.name for step in every if step.section == "speed"]
    failed = 0
    for step in every:
        if step.name not in selected:
            continue
        start_s = time.monotonic()
        try:
            step.run(given.folder)
        except subprocess.CalledProcessError as error:
            failed += 1
            print(f"{step.name}: failed: {error}", file=sys.stderr)
        finally:  # also after an interrupted step, which may have results
            if not given.keep_page:
                fill(step, given.folder, names)
        print(f"{step.name}: {time.monotonic() - start_s:.0f} s", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
