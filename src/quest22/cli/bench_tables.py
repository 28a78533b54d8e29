"""The figures of ``quest22 bench`` as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from quest22.cli.figures import size

if TYPE_CHECKING:
    from quest22.bench.comparison import Result
    from quest22.bench.measures import Outcome

PARTS = {
    "audio": "decode (beside)",
    "features": "log-mel",
    "encoder": "encoder",
    "decoder": "decoder",
    "longform": "cut and merge",
    "wait": "wait",
}
"""Seconds by the metrics' names and what they are called here."""


def machine_line(found: Mapping[str, Any]) -> str:
    """The machine in one line."""
    features = " ".join(found["features"])
    memory = size(found["memory_bytes"])
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    native = found.get("native") or "no"
    return (
        f"{found['processor']}, {found['cores']} cores, {features}, {memory}; {versions}, "
        f"{native} native library"
    )


def outcome_table(title: str, outcome: Outcome) -> Table:
    """A line a contender; ratios are ours to theirs, so more than 1 means that we are faster."""
    table = Table(title=f"{outcome.measure}: {title}", title_justify="left")
    table.add_column("program")
    for name in ("× real time", "ratio", "s", "from – to", "tokens", "peak memory"):
        table.add_column(name, justify="right")
    table.add_column("how")
    ours = outcome.results[0]
    for each in outcome.results:
        table.add_row(
            each.name,
            f"{each.times_real_time:.1f}",
            f"{ours.times_real_time / each.times_real_time:.2f}",
            f"{each.seconds:.3f}",
            f"{each.fastest_s:.3f} – {each.slowest_s:.3f}",
            f"{each.tokens_a_window:.1f}",
            size(each.peak_bytes),
            each.about,
        )
    return table


def parts_table(result: Result) -> Table:
    """Where our time went: milliseconds a window, and the share of the whole."""
    table = Table(title=f"where the time of {result.name} went", title_justify="left")
    table.add_column("part")
    table.add_column("ms a window", justify="right")
    table.add_column("share", justify="right")
    windows = max(result.windows, 1)
    for key, name in PARTS.items():
        seconds = result.parts.get(key, 0.0)
        share = f"{seconds / result.seconds:.1%}"
        table.add_row(name, f"{1000 * seconds / windows:.2f}", share)
    table.add_row("all", f"{1000 * result.seconds / windows:.2f}", "")
    return table


def start_lines(title: str, outcome: Outcome) -> Iterator[str]:
    """How long the first transcript took."""
    if outcome.seconds:
        cold, warm = outcome.seconds["cold"], outcome.seconds["warm"]
        yield f"start: {title}: first transcript after {warm:.2f} s, {cold:.2f} s with no cache"
