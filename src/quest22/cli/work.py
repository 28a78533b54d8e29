"""``quest22 work``: one worker of a cluster, started by any launcher."""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument

from quest22.cli.exits import Exit, say
from quest22.cli.flag_groups import FlagGroup, flag_group, grouped
from quest22.cli.model_flags import RerunFlags
from quest22.cli.output_flags import ReportFlags
from quest22.cli.push import push_rest
from quest22.cli.report import reason_lines, summarise
from quest22.cli.stats import write_stats
from quest22.cli.terminal import configure_logging
from quest22.cli.workers import WorkerOrder, run_workers
from quest22.runs.context import RunContext
from quest22.runs.events import ModelLoaded, ModelLoading, RunEvent
from quest22.runs.figures import Figures
from quest22.runs.progress_lines import clip_count
from quest22.settings.cluster import ClusterWorkSettings
from quest22.settings.quantities import hours

if TYPE_CHECKING:
    from quest22.cluster.driver import ClusterDriver
    from quest22.cluster.work import ClusterWorker, WorkSummary

RELEASE_AFTER_S = 15.0
"""A worker that is stopped and still hangs in its unit gives it back after so long, and exits."""


@flag_group(ClusterWorkSettings)
class PatienceFlags(FlagGroup):
    """How patient workers are with each other."""


@dataclass(frozen=True, slots=True)
class WorkFlags:
    """Which store, and options that do not affect results."""

    store: Annotated[
        str,
        Argument(
            metavar="STORE",
            help="The store of the plan: a folder, or s3://BUCKET/PREFIX and the like.",
        ),
    ]
    engine: RerunFlags = field(default_factory=RerunFlags)


@grouped
def work(flags: WorkFlags, patience: PatienceFlags, report: ReportFlags) -> int:
    """Transcribe units of a plan until all are done; start as many workers as there are machines.

    Workers share nothing but the store. One that dies costs the unit that it was at, which another
    takes. With --devices, each device has a worker. After SIGTERM, Ctrl-C or SIGUSR1 a worker gives
    its unit back within 25 seconds.
    Exits with 0 once all units have ended, whether rows failed or not: quest22 status tells.
    """
    configure_logging(report)
    engine, settings = flags.engine.settings(), patience.make(ClusterWorkSettings)
    return work_in_store(WorkerOrder(flags.store, False, engine, settings, report))


def work_in_store(order: WorkerOrder) -> int:
    """Work on the plan in a store, here or with a worker on each device; the exit code."""
    from quest22.cluster.ledger import all_ended
    from quest22.cluster.open_store import open_store
    from quest22.cluster.plan import read_plan
    from quest22.cluster.work import ledger_of, open_worker
    from quest22.runtime.devices.names import chosen_devices

    reporter = WorkReporter(order.report)
    context, told = RunContext(reporter), reporter.unit_done
    with StopSignals() as signals:
        store = open_store(order.store)
        plan = read_plan(store)
        devices = chosen_devices(order.engine)
        if all_ended(ledger_of(plan, store)):
            reporter.nothing_left()
            code: int = Exit.DONE
        elif len(devices) > 1:
            return run_workers(order, devices)
        else:
            worker = open_worker(store, order.engine, order.patience, context, told, plan)
            code = run_worker(worker, signals, reporter)
    if code != Exit.INTERRUPTED:
        push_rest(store, order.engine.token, quiet=order.report.quiet)
    return code


def run_worker(worker: ClusterWorker, signals: StopSignals, reporter: WorkReporter) -> int:
    """Let a worker work until it ends or is stopped by a signal; the exit code."""
    with worker:
        signals.driver = worker.driver
        summary = worker.run()
    code = Exit.INTERRUPTED if summary.stopped else Exit.DONE
    reporter.ended(summary, code)
    return code


class StopSignals:
    """Signals stop a driver in an orderly way; a second one, or one before, ends the process."""

    def __init__(self) -> None:
        self.driver: ClusterDriver | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        for name in ("SIGTERM", "SIGINT", "SIGUSR1"):
            number = getattr(signal, name, None)
            if number is not None:
                self._former[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: object) -> None:
        driver = self.driver
        if driver is None or driver.stopped:
            raise KeyboardInterrupt
        driver.stop()
        timer = threading.Timer(RELEASE_AFTER_S, self._leave, [driver])
        timer.daemon = True
        timer.start()

    def _leave(self, driver: ClusterDriver) -> None:
        """The engine has not come to an end of its batch: the unit goes back without it."""
        try:
            driver.release()
        finally:
            sys.stderr.flush()
            os._exit(Exit.INTERRUPTED)


@dataclass(slots=True)
class WorkReporter:
    """Tells what a worker does, on standard error."""

    report: ReportFlags

    def __call__(self, event: RunEvent) -> None:
        if isinstance(event, ModelLoading) and sys.stderr.isatty():
            self._say(f"loading {event.model} …")
        if isinstance(event, ModelLoaded):
            self._say(f"working with {event.checkpoint_name} ({event.compute_type})")

    def unit_done(self, lease: Any, counts: Any) -> None:
        if self.report.verbose or sys.stderr.isatty():
            self._say(f"unit {lease.unit}: {_rows(counts)}")

    def nothing_left(self) -> None:
        """Tell that there was nothing to do."""
        self._say("nothing to do: all units are done; quest22 status tells how")

    def ended(self, summary: WorkSummary, code: Exit) -> None:
        """Tell what a worker has done, and write its statistics."""
        if self.report.stats_json is not None:
            write_stats(self.report.stats_json, summary.metrics, summary.stats, code)
        if self.report.quiet:
            return
        units = "1 unit" if summary.units == 1 else f"{summary.units:,} units"
        say(f"{'stopped' if summary.stopped else 'done'}: {units}, {_rows(summary)}")
        if summary.stats.transcripts or summary.stats.failures:
            figures = Figures.of(summary.metrics)
            summarise(figures, summary.stats.scores, "in all", verbose=self.report.verbose)
            for line in reason_lines(summary.stats.reasons):
                say(line)

    def _say(self, text: str) -> None:
        if not self.report.quiet:
            say(text)


def _rows(counts: Any) -> str:
    failed = f" and {counts.failures:,} failed" if counts.failures else ""
    return f"{clip_count(counts.transcripts)}{failed}, {hours(counts.audio_s)} of audio"
