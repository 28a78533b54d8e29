"""Shows the state of a plan in its store: all workers together."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from quest22.cli.figures import model_of
from quest22.cli.schema_ids import schema_id
from quest22.cli.terminal import output_console
from quest22.env import hub_token
from quest22.settings.quantities import hours
from quest22.storable import one_line

if TYPE_CHECKING:
    from quest22.cluster.hub.status import HubStatus, PublishedClusterStatus
    from quest22.cluster.status import ClusterStatus
    from quest22.runs.run_status import FolderStatus, RunStatus


def is_cluster_store(address: str) -> bool:
    """Whether an address is a store of ``quest22 plan`` rather than a run's folder."""
    from quest22.cluster.layout import PLAN

    return "://" in address or (Path(address) / PLAN).is_file()


def show_cluster(address: str, *, as_json: bool, files: bool) -> int:
    """Print the state of a plan, or its published files."""
    from quest22.cluster.hub.status import PublishedClusterStatus, hub_status
    from quest22.cluster.open_store import open_store
    from quest22.cluster.status import cluster_status, published_names

    store = open_store(address)
    if files:
        for name in published_names(store):
            typer.echo(f"{store.shown}/{name}")
        return 0
    shown = cluster_status(store)
    hub = hub_status(store, hub_token())
    if as_json:
        typer.echo(status_as_json(PublishedClusterStatus.of(shown, hub)))
    else:
        output_console().print(_table(shown, hub))
    return 0


def status_as_json(shown: RunStatus | FolderStatus | PublishedClusterStatus) -> str:
    """The state of a run, of shards or of a plan as one line of JSON, with its schema."""
    return json.dumps({"schema": schema_id("status"), **asdict(shown)}, ensure_ascii=False)


def _table(shown: ClusterStatus, hub: HubStatus | None) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(shown, hub):
        table.add_row(name, Text(one_line(value)))
    return table


def _lines(shown: ClusterStatus, hub: HubStatus | None) -> list[tuple[str, str]]:
    plan = shown.plan
    source = (plan["dataset"], plan["config"], plan["split"], *plan["data_files"])
    share = 100 * (shown.published + shown.failed) / shown.units
    units = f"{shown.published:,} of {shown.units:,} published ({share:.1f} % done)"
    rest = ((shown.leased, "leased"), (shown.free, "free"), (shown.failed, "failed"))
    told = "".join(f", {number:,} {what}" for number, what in rest if number)
    again = f"round {shown.retry_round}, {shown.retrying:,} units left"
    return [
        ("plan", f"{shown.store}: {shown.state}"),
        ("source", " ".join(str(part) for part in source if part)),
        ("revision", plan["dataset_revision"] or "not on the Hub"),
        ("model", model_of(plan)),
        ("units", units + told),
        ("transcripts", f"{shown.transcripts:,} ({hours(3600 * shown.audio_hours)})"),
        ("failures", f"{shown.failures:,} rows"),
        *([("retried", again)] if shown.retry_round else []),
        *(("because", reason) for reason in shown.reasons),
        *([] if hub is None else [("on the Hub", _on_hub(shown, hub))]),
        ("next", _next_step(shown, hub)),
    ]


def _on_hub(shown: ClusterStatus, hub: HubStatus) -> str:
    if hub.reason:
        return f"{hub.repository}: {hub.reason}"
    state = "finished" if hub.finished else "not finished"
    units = f"{hub.units:,} of {shown.published:,} published units"
    return f"{hub.repository}: {units}, {hub.transcripts:,} transcripts, {state}"


def _next_step(shown: ClusterStatus, hub: HubStatus | None) -> str:
    if shown.free or shown.leased:
        return f"quest22 work {shown.store} on as many machines as are to help"
    if shown.retrying or shown.failures or shown.failed:
        return f"quest22 retry {shown.store}"
    if hub is not None and not hub.finished:
        return f"quest22 push {shown.store}"
    return "nothing: the plan is done"
