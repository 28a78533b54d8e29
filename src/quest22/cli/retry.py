"""``quest22 retry``: runs the failed clips of a run again; see :mod:`quest22.runs.retry_failed`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from quest22.cli.cluster_status import is_cluster_store
from quest22.cli.exits import Exit, say
from quest22.cli.flag_groups import grouped
from quest22.cli.model_flags import RerunFlags
from quest22.cli.output_flags import ReportFlags
from quest22.cli.progress import RunInfo
from quest22.cli.push import push_rest
from quest22.cli.run import RunReporter, follow
from quest22.cli.terminal import configure_logging
from quest22.cli.work import StopSignals, WorkReporter, run_worker
from quest22.cli.workers import WorkerOrder, run_workers
from quest22.errors import UsageError
from quest22.runs.context import RunContext
from quest22.runs.retry_failed import retry as retry_run
from quest22.runs.store import LocalRunStore, RunStore
from quest22.runs.summary import RunStats
from quest22.settings import EngineSettings
from quest22.settings.cluster import ClusterWorkSettings
from quest22.source.io.address import redact


@dataclass(frozen=True, slots=True)
class RetryFlags:
    """Which run, and options that do not affect results."""

    folder: Annotated[
        str,
        Argument(metavar="FOLDER", help="Output folder of the run, or the store of a plan."),
    ]
    engine: RerunFlags = field(default_factory=RerunFlags)
    accept_missing: Annotated[
        bool,
        Option(
            "--accept-missing",
            help="Count the run as finished without what still cannot be read of its data files.",
        ),
    ] = False

    dataset: Annotated[
        list[str] | None,
        Option(
            help="The address of the run's dataset or data file, in full, if it has a query or a "
            "password, which no run keeps. Repeat the flag for more.",
            metavar="URL",
        ),
    ] = None


@grouped
def retry(flags: RetryFlags, report: ReportFlags) -> int:
    """Run the failed clips of a run again with the run's settings.

    A clip that succeeds moves from failures.jsonl to its position in the transcripts; one that
    fails again stays. A run that stopped early is continued first, and data files that could not be
    read to their end are read on from there. After an interruption, repeat the command to continue.
    In a folder with shards, every shard is retried. In the store of quest22 plan, the failures of
    all workers are: give the command on as many machines as are to help. With --devices, devices
    share the work.
    """
    configure_logging(report)
    engine = flags.engine.settings()
    if is_cluster_store(flags.folder):
        if flags.accept_missing or flags.dataset:
            raise UsageError(
                f"{redact(flags.folder)} is the store of a plan, for which there is no "
                "--accept-missing and no --dataset: leave them out"
            )
        order = WorkerOrder(flags.folder, True, engine, ClusterWorkSettings(), report)
        return retry_in_store(order)
    store = LocalRunStore(Path(flags.folder))
    codes = set()
    for each in store.runs() or [store]:
        codes.add(_retry(each, flags, engine, report))
        if Exit.INTERRUPTED in codes:
            break
    worst_first = (Exit.INTERRUPTED, Exit.INCOMPLETE, Exit.SOME_FAILED, Exit.NOTHING_DONE)
    return next((code for code in worst_first if code in codes), Exit.DONE)


def retry_in_store(order: WorkerOrder) -> int:
    """Work on the failures in the store of a plan, beside others that do; the exit code."""
    from quest22.cluster.open_store import open_store
    from quest22.cluster.retry import open_retry
    from quest22.runtime.devices.names import chosen_devices

    reporter = WorkReporter(order.report)
    context, told = RunContext(reporter), reporter.unit_done
    store, code = open_store(order.store), int(Exit.DONE)
    devices = chosen_devices(order.engine)
    if len(devices) > 1:
        return run_workers(order, devices)
    with StopSignals() as signals:
        worker = open_retry(store, order.engine, order.patience, context, told)
        if worker is not None:
            code = run_worker(worker, signals, reporter)
        elif not order.report.quiet:
            say("nothing to retry: no row and no unit has failed")
    if code != Exit.INTERRUPTED:
        push_rest(store, order.engine.token, quiet=order.report.quiet)
    return code


def _retry(store: RunStore, flags: RetryFlags, engine: EngineSettings, report: ReportFlags) -> Exit:
    info = RunInfo(f"the failures in {store.folder}", failures_in_file=True)
    return follow(
        lambda on_event: retry_run(
            store,
            engine,
            on_event,
            addresses=flags.dataset or (),
            stats=RunStats(accepts_missing=flags.accept_missing),
        ),
        RunReporter(report, info),
    )
