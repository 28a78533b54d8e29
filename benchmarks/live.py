"""Measures live captions at their own pace, and fills the section "Measurements" of docs/live.md.

    python -m benchmarks.live [--speech ../shared/speech] [--against whisperlivekit=PYTHON,…]

The steps that run by default take about 15 minutes; `--only long,nobody` takes three hours more.
After each step the page has what was measured so far. Measure on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.document import filled
from benchmarks.speech_folder import speech_folder

PAGE = Path(__file__).parents[1] / "docs" / "live.md"
SECTION = "live"
NOT_MEASURED = "not measured yet"
COLUMNS = (
    *("program", "sound", "sessions", "shown", "committed", "final", "errors", "of committed"),
    *("offline", "lost ends", "drift", "memory", "a session", "cores"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A command of ``quest22 bench live``; ``quick``: it runs by default."""

    name: str
    title: str
    arguments: tuple[str, ...]
    quick: bool = True

    def run(self, given: argparse.Namespace) -> None:
        """Run it; raises :class:`CalledProcessError` if it fails."""
        command = [sys.executable, "-m", "quest22", "bench", "live", "-m", given.model]
        files = ("--json", str(given.folder / f"{self.name}.json"), "--folder", str(given.folder))
        subprocess.run([*command, *self.arguments, *files], check=True)  # noqa: S603


def steps(given: argparse.Namespace) -> list[Step]:
    """All steps, the most important first."""
    recordings = str(given.speech / "en_commonvoice100")
    unspoken = "silence,room,street,music,hum,applause"
    return [
        Step("speech", "Synthesised speech, exact ends of words", ("--minutes", "2")),
        Step("recordings", "People's recordings, joined", (recordings, "--minutes", "1.2")),
        Step("sessions", "Sessions at once", ("--minutes", "0.8", "--sessions", "6,8")),
        Step(
            "against",
            "Beside other programs, in turn on the same sound",
            ("--minutes", "0.5", "--against", given.against),
            quick=bool(given.against),
        ),
        Step("silence", "Nobody speaks", ("--minutes", "0.4", "--sound", "silence,music")),
        Step("long", "Two hours", ("--minutes", "120"), quick=False),
        Step("nobody", "An hour of nobody", ("--minutes", "10", "--sound", unspoken), quick=False),
    ]


def section(folder: Path, every: Sequence[Step]) -> str:
    """What was measured, a table a step; a line for a step that was not."""
    parts, machine = [], ""
    for step in every:
        file = folder / f"{step.name}.json"
        parts.append(f"**{step.title}** (`{' '.join(shown(step.arguments))}`)")
        if not file.is_file():
            parts.append(NOT_MEASURED)
            continue
        figures = json.loads(file.read_text(encoding="utf-8"))
        parts.append("\n".join(table(figures["live"])))
        machine = f"Model {figures['model']}; {_machine(figures['machine'])}."
    return "\n\n".join([*parts, machine])


def shown(arguments: Sequence[str]) -> Iterator[str]:
    """Arguments without the places of this machine."""
    for argument in filter(None, arguments):
        names = (each.partition("=")[0] for each in argument.split(","))
        yield Path(argument).name if "/" in argument and "=" not in argument else ",".join(names)


def table(measured: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A row for each playing."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for each in measured:
        yield f"| {' | '.join(_cells(each))} |"
    for each in measured:
        if each["failure"]:
            yield f"\n{each['program']}: {each['failure'].partition('; its log')[0]}"
        if each["unended"]:
            yield f"\n{each['program']} had text to come long after the sound, which is missing"


def _cells(each: Mapping[str, Any]) -> list[str]:
    summary, offline = each["summary"], each["offline"]
    start = [each["program"], each["sound"], str(each["sessions"])]
    if summary is None:
        return start + [""] * (len(COLUMNS) - len(start))
    spoken = summary["utterances"] > 0
    drift_s = summary["drift_s"]
    return [
        *start,
        *(_delays(summary[name]) for name in ("shown", "committed", "final")),
        _percent(summary["error_rate"]) if spoken else f"{summary['insertions']} words",
        _percent(summary["committed_error_rate"]),
        _percent(offline["error_rate"] if offline else None),
        f"{summary['lost_tails']} of {summary['utterances']}" if spoken else "–",
        "–" if drift_s is None else f"{drift_s:+.2f}",
        _megabytes(each["peak_bytes"]),
        _megabytes(each["bytes_a_session"]),
        f"{each['cores']:.2f}",
    ]


def _delays(quantiles: Mapping[str, float | None]) -> str:
    if quantiles["median_s"] is None or quantiles["p95_s"] is None:
        return "–"
    return f"{quantiles['median_s']:.2f} / {quantiles['p95_s']:.2f}"


def _megabytes(count: float | None) -> str:
    return "–" if count is None else f"{count / 1e6:.0f} MB"


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.1f} %"


def _machine(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['processor']}, {machine['cores']} cores; {versions}"


def options() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live")
    parser.add_argument("--speech", type=Path, default=speech_folder(), help="folder of sets")
    parser.add_argument("--model", default="base")
    parser.add_argument("--against", default="", help="as in quest22 bench live")
    parser.add_argument("--only", default="", help="run only these steps: speech, against, long, …")
    parser.add_argument("--folder", type=Path, default=Path("build/live"), help="for results")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    parser.add_argument("--keep-page", action="store_true", help="leave the page as it is")
    return parser


def fill(folder: Path, every: Sequence[Step]) -> None:
    """Insert what was measured into the page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(filled(page, SECTION, section(folder, every)), encoding="utf-8")


def main() -> int:
    """Run the steps in order; report a step that fails and continue."""
    given = options().parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    every, failed = steps(given), 0
    asked = given.only.split(",") if given.only else [step.name for step in every if step.quick]
    for step in [] if given.page_only else every:
        if step.name not in asked:
            continue
        start_s = time.monotonic()
        try:
            step.run(given)
        except subprocess.CalledProcessError as error:
            failed += 1
            print(f"{step.name}: failed: {error}", file=sys.stderr)
        print(f"{step.name}: {time.monotonic() - start_s:.0f} s", file=sys.stderr)
        if not given.keep_page:
            fill(given.folder, every)
    if given.page_only:
        fill(given.folder, every)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
