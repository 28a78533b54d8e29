"""What a phase found, written at once as JSON lines, and the table that is made of all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit, or the end of a phase: then ``value`` is its seconds."""

    phase: str
    name: str
    value: float
    unit: str
    note: str = ""


@dataclass(slots=True)
class Recorder:
    """Writes the figures of one phase to a file that others append to as well."""

    path: Path
    phase: str
    written: list[Figure] = field(default_factory=list)

    def __call__(self, name: str, value: float, unit: str, note: str = "") -> None:
        figure = Figure(self.phase, name, value, unit, note)
        self.written.append(figure)
        append(self.path, figure)


def append(path: Path, figure: Figure) -> None:
    """Add a line; what was written before stays, whatever becomes of this process."""
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(figure)) + "\n")


def read(path: Path) -> list[Figure]:
    """All figures of a file; a line that was not written to its end is left out."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [figure for figure in map(_figure, lines) if figure is not None]


def _figure(line: str) -> Figure | None:
    try:
        record: Mapping[str, Any] = json.loads(line)
        return Figure(**record)
    except (ValueError, TypeError):
        return None


def table(figures: Iterable[Figure]) -> str:
    """All figures as a Markdown table, in their order."""
    rows = ["| phase | what | value | unit | note |", "|---|---|---:|---|---|"]
    for each in figures:
        note = " ".join(each.note.split()).replace("|", "/")
        name = each.name.replace("|", "/")
        rows.append(f"| {each.phase} | {name} | {each.value:,.4g} | {each.unit} | {note} |")
    return "\n".join(rows) + "\n"


def seconds(run: Callable[[], object], rounds: int) -> float:
    """The median time of a run, after one that does not count."""
    run()
    times = []
    for _ in range(rounds):
        begun_s = perf_counter()
        run()
        times.append(perf_counter() - begun_s)
    return median(times)
