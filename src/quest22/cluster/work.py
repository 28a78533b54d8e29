"""One worker of a cluster: opens the plan's dataset and model, and transcribes units."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from quest22.cluster.driver import ClusterDriver, UnitAbandonedError
from quest22.cluster.ledger import Attempt, Counts, Lease, Ledger
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.plan import ClusterPlan, check_files, local_engine, read_plan
from quest22.cluster.procedure import Policy
from quest22.cluster.store_ledger import Outputs, StoreLedger
from quest22.cluster.unit_file import UnitFile, count_rows
from quest22.cluster.units import Unit
from quest22.errors import SourceError, UsageError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure, Transcript
from quest22.runs.context import RunContext
from quest22.runs.plan import plan_differences, whole_plan
from quest22.runs.summary import RunStats
from quest22.runtime.build import dataset_source
from quest22.settings import EngineSettings
from quest22.settings.cluster import ClusterWorkSettings
from quest22.source.dataset import DatasetSource

if TYPE_CHECKING:
    from quest22.runtime.build import Run

_log = logging.getLogger("quest22")

Look = Callable[..., None]
"""Raises :class:`UnitAbandonedError` if a unit is to be left."""

UnitDone = Callable[[Lease, Counts], None]
"""Told of each unit that this worker has transcribed, before it is published."""


@dataclass(slots=True)
class WorkSummary:
    """What one worker has done: units that it transcribed, whether others were faster or not.

    ``stats`` are of all results, also of units that it gave back.
    """

    units: int = 0
    transcripts: int = 0
    failures: int = 0
    audio_s: float = 0.0
    elapsed_s: float = 0.0
    stopped: bool = False
    stats: RunStats = field(default_factory=RunStats)
    metrics: Metrics = field(default_factory=Metrics)

    def add(self, counts: Counts) -> None:
        """Add a unit."""
        self.units += 1
        self.transcripts += counts.transcripts
        self.failures += counts.failures
        self.audio_s += counts.audio_s


def worker_name() -> str:
    """A name that no other worker has: host, process, and some random digits."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def ledger_of(
    plan: ClusterPlan, store: ObjectStore, number: int = 0, units: Sequence[int] | None = None
) -> StoreLedger:
    """The ledger of round ``number``, which is about some of the plan's units, or all."""
    numbers = range(len(plan.units)) if units is None else units
    outputs = Outputs(
        lambda unit: plan.output_name(numbers[unit]),
        lambda content: count_rows(content, plan.format),
    )
    return StoreLedger(store, len(numbers), outputs, number)


class ClusterWorker:
    """A worker whose dataset and model are open. Close it, or use it in a ``with`` block."""

    def __init__(
        self,
        plan: ClusterPlan,
        ledger: Ledger,
        engine: EngineSettings | None = None,
        context: RunContext | None = None,
        policy: Policy = Policy(),  # noqa: B008 -- a value
        on_unit: UnitDone = lambda lease, counts: None,
    ) -> None:
        """Open the plan's dataset, then load its model, both as ``context`` says.

        Raises :class:`quest22.errors.Quest22Error`, also if one of them is not what was planned.
        """
        self._context = context or RunContext()
        self.summary = WorkSummary(metrics=self._context.metrics)
        self._plan = plan
        self._on_unit = on_unit
        settings = plan.settings(local_engine(plan, engine or EngineSettings()))
        self._source: DatasetSource = dataset_source(
            settings.dataset, self._context.client(settings.pipeline)
        )
        check_files(plan, self._source.files)
        self._pipeline = self._context.pipeline(settings.pipeline)
        now = whole_plan(settings, self._pipeline, self._source.revision)
        _check_same(plan, {name: now[name] for name in ("dataset", "model")})
        self._scratch = Path(tempfile.mkdtemp(prefix="quest22-unit-"))
        self.driver = ClusterDriver(worker_name(), ledger, self._transcribe, policy)

    def run(self) -> WorkSummary:
        """Transcribe units until all have ended, or the driver is stopped."""
        began = time.monotonic()
        with self.summary.metrics.run():  # units are measured together
            self.driver.run()
        self.summary.elapsed_s = time.monotonic() - began
        self.summary.stopped = self.driver.stopped
        return self.summary

    def close(self) -> None:
        """Free the model, and remove what was not published."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._context.__exit__()

    def __enter__(self) -> ClusterWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _transcribe(self, lease: Lease, is_over: Callable[[], bool]) -> Attempt:
        """Transcribe a unit into a file of its own; one at a time lies in the scratch folder."""

        def look(*_: object) -> None:
            if is_over():
                raise UnitAbandonedError

        for leftover in self._scratch.iterdir():
            leftover.unlink()
        with closing(UnitFile(self._scratch, self._plan.format)) as file:
            replaces = self._fill(file, lease.unit, look)
            counts = file.write()
        self.summary.add(counts)
        self._on_unit(lease, counts)
        return Attempt(file.path, counts, replaces)

    def _fill(self, file: UnitFile, number: int, look: Look) -> Hashable:
        """Write a unit's rows; gives the version that they are to replace, if there is any."""
        self._fill_whole(file, self._plan.units[number], look)
        return None

    def _fill_whole(self, file: UnitFile, unit: Unit, look: Look) -> None:
        for result in self._results(self._source.between(unit.part, unit.start, unit.stop), look):
            file.add(result)
        planned = file.rows if unit.stop is None else unit.stop - unit.start
        if file.rows < planned and not file.has_open_end:
            raise SourceError(
                f"unit {unit.number} has {file.rows:,} rows, and {planned:,} were planned: the "
                "dataset has changed"
            )

    def _results(
        self, clips: Iterable[Clip | Failure], look: Look
    ) -> Iterator[Transcript | Failure]:
        """Transcribe clips; ``look`` is called after each batch and result, and may raise."""
        run: Run = self._pipeline.run(clips, on_progress=look)
        with closing(run):
            for result in run:
                look()
                self.summary.stats.add(result)
                yield result


def _check_same(plan: ClusterPlan, now: dict[str, object]) -> None:
    """Refuse a dataset or a model that is not the planned one: results would not fit together."""
    planned = {name: plan.run[name] for name in now}
    differences = plan_differences(planned, now, whole=True)
    if differences:
        raise UsageError(
            f"this worker would not do what was planned ({'; '.join(differences)}): give it what "
            "the plan names, or make a plan in another --store"
        )


def open_worker(
    store: ObjectStore,
    engine: EngineSettings | None = None,
    settings: ClusterWorkSettings | None = None,
    context: RunContext | None = None,
    on_unit: UnitDone = lambda lease, counts: None,
    plan: ClusterPlan | None = None,
) -> ClusterWorker:
    """A worker on the plan in a store, if it was not read before; see :class:`ClusterWorker`."""
    plan = plan or read_plan(store)
    settings = settings or ClusterWorkSettings()
    policy = Policy(settings.lease_s, settings.max_attempts)
    return ClusterWorker(plan, ledger_of(plan, store), engine, context, policy, on_unit)
