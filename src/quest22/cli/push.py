"""``quest22 push``: publishes what the workers of a plan have done on the Hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from quest22.cli.exits import Exit, say
from quest22.cli.flag_groups import FlagGroup, flag, flag_group, grouped
from quest22.cli.output_flags import MessageFlags
from quest22.cli.terminal import configure_logging
from quest22.env import hub_token
from quest22.errors import Quest22Error, UsageError
from quest22.runs.progress_lines import published_line
from quest22.settings import EngineSettings, HubSettings
from quest22.settings.hub import PANEL, parse_commit_interval

if TYPE_CHECKING:
    from quest22.cluster.hub.record import HubRecord
    from quest22.cluster.object_store import ObjectStore

EPILOG = """\
[bold]Examples[/]

quest22 plan org/speech -m large-v3-turbo --store s3://bucket/speech --push-to-hub me/speech-text

quest22 push s3://bucket/speech      [dim]# on any machine, beside the workers or after them[/]
"""


@dataclass(frozen=True, slots=True)
class StoreFlags:
    """Which store, and how long."""

    store: Annotated[
        str,
        Argument(
            metavar="STORE",
            help="The store of the plan: a folder, or s3://BUCKET/PREFIX and the like.",
        ),
    ]
    once: Annotated[
        bool,
        Option(
            "--once",
            help="Publish what is done now, and end, without waiting for the workers.",
            rich_help_panel=PANEL,
        ),
    ] = False


@flag_group(HubSettings)
class PushFlags(FlagGroup):
    """Where and how often transcripts are published."""

    push_to_hub: Annotated[
        str | None,
        flag(
            HubSettings,
            "repository",
            help="The dataset on the Hub, if the plan names none yet.",
            show_default="the plan's",
        ),
    ] = None
    hub_commit_every: Annotated[str, flag(HubSettings, "commit_seconds")] = "10m"
    token: Annotated[str | None, flag(EngineSettings, "token")] = None


@grouped
def push(flags: StoreFlags, hub: PushFlags, report: MessageFlags) -> int:
    """Publish the transcripts of a plan as a dataset on the Hub, while workers make them.

    Ends when all is published. One committer at a time is at work; one that died is continued by
    the next, on any machine: what is published is known from the dataset itself. What quest22 retry
    has replaced is published again.
    """
    configure_logging(report)
    from quest22.cluster.hub.push import Schedule, open_push
    from quest22.cluster.hub.target import PublishTarget, found_target, write_target
    from quest22.cluster.open_store import open_store
    from quest22.cluster.plan import read_plan

    seconds, rows = parse_commit_interval(hub.hub_commit_every)
    if hub.private and hub.push_to_hub is None:
        raise UsageError("--private is for a new dataset: give --push-to-hub ORG/NAME with it")
    store, token = open_store(flags.store), hub.token or hub_token()
    read_plan(store)
    if hub.push_to_hub is not None:
        target = PublishTarget(hub.push_to_hub, private=hub.private)
        write_target(store, found_target(target, token))
    pushing = open_push(store, token, Schedule(seconds, rows))
    pushing.check()

    def committed(record: HubRecord) -> None:
        if not report.quiet:
            say(f"published: {_told(record)}")

    summary = pushing.run(follow=not flags.once, on_commit=committed)
    if not report.quiet:
        left = "" if summary.record.finished else ", and more to come"
        say(f"{summary.url}: {_told(summary.record)}{left}")
    return Exit.DONE


def _told(record: HubRecord) -> str:
    counts = record.counts
    return published_line(counts.transcripts, counts.failures, record.units, record.planned_units)


def push_rest(store: ObjectStore, token: str | None, *, quiet: bool) -> None:
    """Publish what no committer has yet, at the end of a worker; says so if it cannot."""
    from quest22.cluster.hub.push import push_at_end

    try:
        summary = push_at_end(store, token)
    except Quest22Error as exc:
        say(f"not published on the Hub from here ({exc}); elsewhere: quest22 push {store.shown}")
        return
    if summary is not None and not quiet:
        say(f"published: {summary.url}, {_told(summary.record)}")
