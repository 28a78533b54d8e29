"""Shows the results of ``quest22 bench`` as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from quest22.cli.figures import size

if TYPE_CHECKING:
    from quest22.bench.comparison import ProgramResult
    from quest22.bench.measures import BenchOutcome

PARTS = {
    "audio": "audio decoding (in parallel)",
    "features": "log-mel",
    "encoder": "encoder",
    "decoder": "decoder",
    "longform": "long form",
    "wait": "wait",
}
"""The metrics' name of a stage → its name in the table."""


def machine_line(machine: Mapping[str, Any]) -> str:
    """The machine in one line."""
    features = " ".join(machine["features"])
    memory = size(machine["memory_bytes"])
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    native = machine.get("native") or "no"
    return (
        f"{machine['processor']}, {machine['cores']} cores, {features}, {memory}; {versions}, "
        f"{native} native library"
    )


def outcome_table(title: str, outcome: BenchOutcome) -> Table:
    """A row for each program; ``ratio`` is how many times as fast quest22 is as the program."""
    table = Table(title=f"{outcome.measure}: {title}", title_justify="left")
    table.add_column("program")
    for name in ("× real time", "ratio", "s", "from – to", "processor s", "tokens", "peak memory"):
        table.add_column(name, justify="right")
    table.add_column("configuration")
    ours = outcome.results[0]
    for each in outcome.results:
        table.add_row(
            each.name,
            f"{each.times_real_time:.1f}",
            f"{ours.times_real_time / each.times_real_time:.2f}",
            f"{each.seconds:.3f}",
            f"{each.fastest_s:.3f} – {each.slowest_s:.3f}",
            f"{each.cpu_s:.3f}",
            f"{each.tokens_a_window:.1f}",
            size(each.peak_bytes),
            each.about,
        )
    return table


def parts_table(result: ProgramResult) -> Table:
    """The time of each stage: milliseconds per window, and the share of the total."""
    table = Table(title=f"time of {result.name} by stage", title_justify="left")
    table.add_column("stage")
    table.add_column("ms per window", justify="right")
    table.add_column("share", justify="right")
    windows = max(result.windows, 1)
    for key, name in PARTS.items():
        seconds = result.parts.get(key, 0.0)
        share = f"{seconds / result.seconds:.1%}"
        table.add_row(name, f"{1000 * seconds / windows:.2f}", share)
    table.add_row("total", f"{1000 * result.seconds / windows:.2f}", "")
    return table


def start_lines(title: str, outcome: BenchOutcome) -> Iterator[str]:
    """The time to the first transcript, in one line."""
    if outcome.seconds:
        cold, warm = outcome.seconds["cold"], outcome.seconds["warm"]
        yield f"start: {title}: first transcript after {warm:.2f} s, {cold:.2f} s without a cache"
