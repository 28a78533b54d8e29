"""A run into a cluster's store with workers of its own: ``quest22 stream … --cluster``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quest22.cluster.folder_store import FolderStore
from quest22.cluster.hub.following_push import FollowingPush
from quest22.cluster.hub.push import PUSH_RETRIES
from quest22.cluster.hub.target import PublishTarget, write_target
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.open_store import open_store
from quest22.cluster.plan import ClusterPlan, make_plan, write_plan
from quest22.cluster.progress import StoreProgress, Totals
from quest22.cluster.work import ledger_of
from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.runs.context import Load
from quest22.runs.events import ClusterEnded, ClusterProgress, OnEvent, PlanReady
from quest22.runs.settings import RunSettings
from quest22.runs.store import LocalRunStore
from quest22.runs.summary import RunStats, RunSummary
from quest22.runtime.build import Pipeline
from quest22.settings.cluster import (
    LOCAL,
    ClusterPlanSettings,
    ClusterRunSettings,
    ClusterWorkSettings,
)
from quest22.settings.option import take_group, take_values
from quest22.sink.hub.hub_repository import HubRepository
from quest22.system.machine import usable_cores

_COLLAPSED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")


@dataclass(frozen=True, slots=True)
class ClusterRun:
    """``run`` says where workers run, ``plan`` where they meet and what they share out."""

    settings: RunSettings
    plan: ClusterPlanSettings
    run: ClusterRunSettings
    work: ClusterWorkSettings


def cluster_run(settings: RunSettings, out: str | Path, options: Mapping[str, Any]) -> ClusterRun:
    """A run into ``out``, with the options of a cluster by the names that Python callers give them.

    Raises :class:`UsageError` for invalid values, and for what a cluster does not do.
    """
    _check(settings)
    named = dict(options)
    run = take_group(ClusterRunSettings, named)
    work = take_group(ClusterWorkSettings, named)
    of_plan = take_values(ClusterPlanSettings, named)
    of_plan |= {"store": store_address(out), "format": settings.formats[0]}
    return ClusterRun(settings, ClusterPlanSettings(**of_plan), run, work)


def store_address(out: str | Path) -> str:
    """The address of a store: a folder's whole path, or a URL, also one that was read as a path."""
    text = _COLLAPSED.sub(r"\1://", str(out))
    return text if "://" in text else str(Path(text).expanduser().absolute())


def run_on_cluster(given: ClusterRun, on_event: OnEvent, load: Load = Pipeline) -> RunSummary:
    """Plan a run, or continue it, and let workers do it; the totals of all workers, ever.

    With ``push_to_hub`` this process publishes them, beside the workers and at the end. In the
    summary, ``open_ends`` counts units that failed. Raises
    :class:`quest22.errors.Quest22Error`.
    """
    address, hub = given.plan.store, given.settings.push_to_hub
    store = open_store(address)
    if isinstance(store, FolderStore):
        _refuse_local_run(Path(address))
    repository = None if hub is None else HubRepository.open(hub, PUSH_RETRIES)
    plan = make_plan(given.settings.of_plan(), given.plan, load, on_event)
    is_new = write_plan(plan, store)
    on_event(PlanReady(store.shown, len(plan.units), len(plan.units.files), is_new))
    if hub is None or repository is None:
        return _summary(*_work(given, plan, store, on_event))
    target = PublishTarget(repository.name, hub.private, given.settings.command or "")
    push = FollowingPush(store, write_target(store, target), repository, hub)
    with push:
        before, last = _work(given, plan, store, push.telling(on_event))
        push.finish(on_event)
    return _summary(before, last)


def _work(
    given: ClusterRun, plan: ClusterPlan, store: ObjectStore, on_event: OnEvent
) -> tuple[Totals, ClusterProgress]:
    """Let workers do what is left; the totals before, and the last progress."""
    before = StoreProgress(ledger_of(plan, store)).read()
    last = _progress_of(before)
    if before.left:
        try:
            last = _run_workers(given, plan, store, on_event)
        except BaseException as exc:
            interrupted = isinstance(exc, KeyboardInterrupt)
            now = _progress_of(StoreProgress(ledger_of(plan, store)).read())
            on_event(ClusterEnded(store.shown, now, interrupted))
            raise
    on_event(ClusterEnded(store.shown, last, interrupted=False))
    return before, last


def _run_workers(
    given: ClusterRun, plan: ClusterPlan, store: ObjectStore, on_event: OnEvent
) -> ClusterProgress:
    from quest22.cluster.ray.session import connect

    address = given.run.cluster or LOCAL
    with connect(address, _local_cpus(given.run)) as session:
        from quest22.cluster.ray.launch import Launch, run_workers

        engine = given.settings.pipeline.engine
        launch = Launch(
            plan, store, given.plan.store, given.run, given.work, engine, given.plan.unit_s
        )
        return run_workers(launch, session, on_event)


def _local_cpus(run: ClusterRunSettings) -> int:
    """The cores of a local cluster: this machine's, or more if more are asked for."""
    most = run.workers[1] if run.workers else 1
    return max(usable_cores(), most * (run.worker_cpus or 1))


def _check(settings: RunSettings) -> None:
    """Refuse what a cluster does not do. Raises :class:`UsageError`."""
    for is_given, what in (
        (len(settings.formats) != 1, "several --output-format"),
        (settings.max_failures is not None, "--on-error stop and --max-failures"),
        (settings.restart, "--restart"),
    ):
        if is_given:
            raise UsageError(
                f"{what} cannot be used with --cluster: leave it out"
                + (", or choose another folder" if settings.restart else "")
            )


def _refuse_local_run(folder: Path) -> None:
    if LocalRunStore(folder).runs():
        raise UsageError(
            f"{folder} holds a run without a cluster: continue it without --cluster, or choose "
            "another folder"
        )


def _progress_of(totals: Totals) -> ClusterProgress:
    return ClusterProgress(
        *totals, elapsed_s=0.0, speed=0.0, workers=0, opening=0, waiting=0, left_s=None
    )


def _summary(before: Totals, last: ClusterProgress) -> RunSummary:
    stats = RunStats(
        transcripts=last.transcripts - before.transcripts,
        failures=last.failures - before.failures,
        audio_s=last.audio_s - before.audio_s,
        open_ends=last.failed - before.failed,
    )
    left = last.units - last.published - last.failed
    counts = (last.transcripts, last.failures, last.audio_s)
    return RunSummary(*counts, not left, stats, Metrics(), last.failed)
