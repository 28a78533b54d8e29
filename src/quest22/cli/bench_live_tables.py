"""Shows what ``quest22 bench live`` measured as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import HEAVY_HEAD
from rich.table import Table

from quest22.cli.figures import size

if TYPE_CHECKING:
    from quest22.bench.live.measure import LiveMeasurement, OfflineFigures
    from quest22.bench.live.summary import LiveSummary, Quantiles

COLUMNS = (
    *("sound", "at once", "shown", "committed", "final", "errors", "lost ends", "drift"),
    *("memory", "a session", "cores"),
)
NONE = "–"


def live_table(model: str, measured: Sequence[LiveMeasurement], *, plain: bool = False) -> Table:
    """A row for each playing; ``plain``: without lines, for pipes.

    Times are median / 95th percentile, in seconds from a word's end; errors those of the whole
    text, of what was committed before its segment's end, and of the offline transcript.
    """
    table = Table(title=f"live: {model}", title_justify="left", box=None if plain else HEAVY_HEAD)
    table.add_column("program", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "sound" else "right", no_wrap=True)
    for each in measured:
        cells = _cells(each, each.summary) if each.summary else [""] * (len(COLUMNS) - 5)
        added = each.bytes_a_session
        memory = [size(each.peak_bytes), NONE if added is None else size(added)]
        table.add_row(
            each.program, each.sound, f"{each.sessions}", *cells, *memory, f"{each.cores:.2f}"
        )
    table.caption = "\n".join(_notes(measured))
    table.caption_justify = "left"
    return table


def _cells(each: LiveMeasurement, summary: LiveSummary) -> list[str]:
    return [
        delays(summary.shown),
        delays(summary.committed),
        delays(summary.final),
        _errors(summary, each.offline),
        f"{summary.lost_tails} of {summary.utterances}" if summary.utterances else NONE,
        NONE if summary.drift_s is None else f"{summary.drift_s:+.2f}",
    ]


def delays(quantiles: Quantiles) -> str:
    """``0.52 / 0.81``; a dash for none."""
    if quantiles.median_s is None or quantiles.p95_s is None:
        return NONE
    return f"{quantiles.median_s:.2f} / {quantiles.p95_s:.2f}"


def _errors(summary: LiveSummary, offline: OfflineFigures | None) -> str:
    """Three error rates, or the number of words that nobody said."""
    if summary.error_rate is None:
        return f"{summary.insertions} words"
    offline_rate = None if offline is None else offline.error_rate
    rates = (summary.error_rate, summary.committed_error_rate, offline_rate)
    return " / ".join(NONE if rate is None else f"{100 * rate:.1f}" for rate in rates) + " %"


def _notes(measured: Sequence[LiveMeasurement]) -> list[str]:
    notes = {f"{each.program}: {each.about}" for each in measured if each.about}
    ends = {f"ends of words in {each.sound}: {each.ends}" for each in measured if each.ends}
    failures = {f"{each.program}: {each.failure}" for each in measured if each.failure}
    behind = {
        f"{each.program} took the sound up to {each.late_s:.1f} s late, {each.sessions} sessions"
        for each in measured
        if each.late_s > 0.5
    } | {
        f"{each.program}: {each.unended} of {each.sessions} sessions had text to come long after "
        "the sound, which is missing"
        for each in measured
        if each.unended
    }
    legend = "seconds after a word's end, median / 95 %; errors: all / of committed / offline"
    return [legend, *sorted(notes), *sorted(ends), *sorted(behind), *sorted(failures)]
