"""The tables of ``quest22 models``: what is on this machine, and the models with a short name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quest22.checkpoint.caches import best_cached
from quest22.cli.figures import size
from quest22.cli.models.catalogue import CachedModelRow, ModelRow

PICKLE_ADVICE = "a pickle, which is never opened: convert it with Transformers"
WIDE = 140
"""On a narrower terminal, ids on the Hub and downloads would leave no room for the figures."""

MEMORY_COLUMNS = {"float32": "float32", "16 bit": "bfloat16", "int8": "int8"}
"""Heading → compute type. float16 takes what bfloat16 does; int16, for its caches, a bit less."""

FOOT = (
    "Memory: weights, and caches of 16 windows decoded greedily. Computed.",
    "Speed: of tiny's, by the work of a window of 30 s with 100 tokens. Computed.",
    "Any Whisper model on the Hub works by its id, and any folder by its path.",
)


def show_models(
    console: Console, found: Sequence[CachedModelRow], rows: Sequence[ModelRow]
) -> None:
    """Print both tables; the first one only if there is anything in a cache."""
    if found:
        console.print(_cached_table(found))
        if best := best_cached():
            console.print(f"Without --model, {best.name} is taken.", style="dim")
        console.print()
    console.print(_known_table(rows, wide=console.width >= WIDE))
    for line in FOOT:
        console.print(line, style="dim")


def _cached_table(found: Sequence[CachedModelRow]) -> Table:
    table = _table("on this machine", "format", right=("parameters", "weights", "disk"))
    table.add_column("from", overflow="fold")
    for each in found:
        origin = each.origin if each.name else f"{each.path}: {PICKLE_ADVICE}"
        table.add_row(
            escape(each.name or ""),
            each.format,
            _millions(each.parameters_m),
            size(each.size_bytes),
            size(each.disk_bytes),
            escape(origin),
        )
    return table


def _known_table(rows: Sequence[ModelRow], *, wide: bool) -> Table:
    table = _table("name", right=("parameters",))
    table.padding = (0, 2 if wide else 1, 0, 0)
    table.add_column("languages", no_wrap=True)
    for heading in (*MEMORY_COLUMNS, "speed"):
        table.add_column(heading, no_wrap=True, justify="right")
    table.add_column("here", no_wrap=True)
    if wide:
        table.add_column("download", no_wrap=True, justify="right")
        table.add_column("on the Hub", no_wrap=True)
    for each in rows:
        table.add_row(
            each.name,
            _millions(each.parameters_m),
            each.languages,
            *memory_cells(each.memory_bytes),
            f"{each.relative_speed:g} ×",
            "[green]yes[/]" if each.local else "",
            *([_download(each), each.hub_id or "embedded"] if wide else []),
        )
    return table


def memory_cells(memory: Mapping[str, int]) -> list[str]:
    """Memory in the columns of :data:`MEMORY_COLUMNS`."""
    return [size(memory[name]) for name in MEMORY_COLUMNS.values()]


def _table(*left: str, right: Sequence[str]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in left:
        table.add_column(heading, no_wrap=True)
    for heading in right:
        table.add_column(heading, no_wrap=True, justify="right")
    return table


def _download(row: ModelRow) -> str:
    return size(row.download_bytes) if row.download_bytes and row.hub_id else ""


def _millions(count: float | None) -> str:
    return f"{count:,.0f} M" if count else ""
