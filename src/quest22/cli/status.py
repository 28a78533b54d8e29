"""``quest22 status``: shows the state of a run into a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from quest22.cli.cluster_status import is_cluster_store, show_cluster, status_as_json
from quest22.cli.figures import files_with_open_end, model_of
from quest22.cli.report import most_frequent
from quest22.cli.terminal import output_console
from quest22.errors import UsageError
from quest22.runs.run_status import FolderStatus, RunStatus
from quest22.runs.run_status import status as status_of
from quest22.settings.quantities import hours
from quest22.source.io.address import HIDDEN
from quest22.storable import one_line

REASONS_SHOWN = 10


def status(
    folder: Annotated[
        str,
        typer.Argument(metavar="FOLDER", help="Output folder of the run, or the store of a plan."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    files: Annotated[
        bool,
        typer.Option(
            "--files", help="Print the published files of a plan's store in order, and no more."
        ),
    ] = False,
) -> int:
    """Show the state of a run: settings, progress, failures, and how to continue.

    For a folder with shards: each shard and the total. For the store of quest22 plan: all workers
    together.
    """
    if is_cluster_store(folder):
        return show_cluster(folder, as_json=as_json, files=files)
    if files:
        raise UsageError(f"{folder} is no store of quest22 plan: --files is for those")
    shown = status_of(Path(folder))
    if as_json:
        typer.echo(status_as_json(shown))
    else:
        table = _table(shown) if isinstance(shown, RunStatus) else _shards_table(shown)
        output_console().print(table)
    return 0


def _shards_table(shown: FolderStatus) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("shard", "of", "state", "transcripts", "failures", "sound"):
        table.add_column(name, justify="left" if name == "state" else "right")
    for run in shown.runs:
        plan = run.plan
        table.add_row(f"{plan['shard_index']}", f"{plan['num_shards']}", *_sums(run, run.state))
    state = "finished" if shown.finished else "not finished"
    table.add_row("", "", *_sums(shown, state), style="bold")
    return table


def _sums(run: RunStatus | FolderStatus, state: str) -> list[str]:
    numbers = (f"{run.transcripts:,}", f"{run.failures:,}", hours(3600 * run.audio_hours))
    return [f"{state} (an unknown number missing)" if run.open_ends else state, *numbers]


def _table(run: RunStatus) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(run):
        table.add_row(name, Text(one_line(value)))  # keys and reasons are no markup
    return table


def _lines(run: RunStatus) -> list[tuple[str, str]]:
    plan = run.plan
    rows = (plan["dataset"], plan["config"], plan["split"], *plan["data_files"])
    settings = {name: plan[name] for name in ("language", "task", "timestamps") if plan[name]}
    if plan["num_shards"] > 1:
        settings["shard"] = f"{plan['shard_index']} of {plan['num_shards']}"
    counted = Counter(run.failures_by_reason)
    reasons = [
        ("" if index else "failed because", line)
        for index, line in enumerate(most_frequent(counted, REASONS_SHOWN))
    ]
    return [
        ("run", f"{run.folder}: {run.state}"),
        ("source", " ".join(str(part) for part in rows if part)),
        ("revision", plan["dataset_revision"] or "not on the Hub"),
        ("model", model_of(plan)),
        ("model revision", plan["model_revision"] or f"weights {plan['weights'][:12]}"),
        ("settings", ", ".join(f"{name} {value}" for name, value in settings.items())),
        ("formats", ", ".join(plan["formats"])),
        ("transcripts", f"{run.transcripts:,} ({hours(3600 * run.audio_hours)})"),
        ("failures", f"{run.failures:,}"),
        *reasons,
        *([("missing", files_with_open_end(run.open_ends))] if run.open_ends else []),
        *(("because", reason) for reason in run.missing),
        ("last clip", run.last_key or "none yet"),
        ("last written", run.written),
        ("next", next_step(run)),
    ]


def next_step(run: RunStatus) -> str:
    """What to do next."""
    again = run.command or "repeat the call to stream_to, or the run's command"
    if HIDDEN in again:
        again += " (with the whole address: its query is not kept)"
    if run.state == "running":
        return "wait: a process is running"
    if run.state == "finished":
        failed = run.failures or run.open_ends
        return f"quest22 retry {run.folder}" if failed else "nothing: the run is complete"
    if run.state == "incomplete":
        return f"{again}, or quest22 retry {run.folder} (--accept-missing: do without)"
    return again
