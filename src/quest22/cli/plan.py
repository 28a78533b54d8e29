"""``quest22 plan``: divides a dataset into units of work for any number of workers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from quest22.cli.dataset_flags import WholeDatasetFlags
from quest22.cli.exits import say
from quest22.cli.flag_groups import FlagGroup, flag, flag_group, grouped
from quest22.cli.model_flags import ModelFlags, SpeechFlags
from quest22.cli.output_flags import MessageFlags
from quest22.cli.terminal import configure_logging
from quest22.runs.progress_lines import work_count
from quest22.runs.settings import RunSettings
from quest22.settings import HubSettings, PipelineSettings
from quest22.settings.cluster import ClusterPlanSettings

if TYPE_CHECKING:
    from quest22.cluster.hub.target import PublishTarget

EPILOG = """\
[bold]Examples[/]

quest22 plan org/speech -m large-v3-turbo --store s3://bucket/speech -f parquet

quest22 plan 'parquet' --data-files '/data/*.parquet' -m small --store /shared/out --unit 1h

quest22 work s3://bucket/speech      [dim]# as often as there are machines[/]
"""


@flag_group(ClusterPlanSettings)
class ClusterPlanFlags(FlagGroup):
    """Where workers meet, and what they share out."""

    output_format: Annotated[str, flag(ClusterPlanSettings, "format")] = "jsonl"


@flag_group(HubSettings, without={"hub_commit_every"})
class PlanHubFlags(FlagGroup):
    """Where transcripts are published."""

    push_to_hub: Annotated[
        str | None,
        flag(
            HubSettings,
            "repository",
            help="Publish the transcripts as a dataset on the Hub. [cyan]quest22 push[/] does it "
            "while workers make them, or a worker at the end.",
        ),
    ] = None

    def target(self) -> PublishTarget | None:
        """None if nothing is published."""
        from quest22.cli.stream import repeatable_command
        from quest22.cluster.hub.target import PublishTarget

        if self.push_to_hub is None:
            return None
        return PublishTarget(self.push_to_hub, self.private, repeatable_command(sys.argv[1:]))


@grouped
def plan(
    dataset: WholeDatasetFlags,
    model: ModelFlags,
    speech: SpeechFlags,
    cluster: ClusterPlanFlags,
    hub: PlanHubFlags,
    report: MessageFlags,
) -> int:
    """Divide a dataset into units of work, for quest22 work on any number of machines.

    Writes plan.json into the store, once: which rows each unit has, and how they are transcribed.
    Commits, weights and the compute type are settled now, so that all workers use the same.
    """
    configure_logging(report)
    from quest22.cluster.hub.push import open_push
    from quest22.cluster.hub.target import found_target, write_target
    from quest22.cluster.open_store import open_store
    from quest22.cluster.plan import make_plan, write_plan

    shared: ClusterPlanSettings = cluster.make(ClusterPlanSettings)
    store = open_store(shared.store)
    token, target = model.settings().token, hub.target()
    if target is not None:
        target = found_target(target, token)
    pipeline = PipelineSettings(
        model.settings(),
        speech.decoding(timestamps=False),
        speech.longform(),
        speech.audio(),
        hallucination=speech.hallucination(),
        memory=speech.memory_settings(),
        vad=speech.vad_flags.settings(),
        retry_for_s=speech.retry_for_s(),
    )
    rows = dataset.settings(token, speech.memory_settings())
    published = None if target is None else target.settings(token)
    settings = RunSettings(rows, pipeline, (shared.format,), push_to_hub=published)
    made = make_plan(settings.of_plan(), shared)
    is_new = write_plan(made, store)
    if target is not None:
        write_target(store, target)
        open_push(store, token).check()
    if not report.quiet:
        files = len(made.units.files)
        told = "planned" if is_new else "planned before"
        say(f"{told}: {work_count(len(made.units), files)}")
        say(f"start workers with: quest22 work {store.shown}")
        if target is not None:
            say(f"publish while they work with: quest22 push {store.shown}")
    return 0
