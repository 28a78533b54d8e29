"""A worker as an actor: works in a thread of its own, so it can be asked and stopped meanwhile."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple

import ray

from quest22 import env
from quest22.cluster.ledger import Lease, Ledger
from quest22.cluster.open_store import open_store
from quest22.cluster.plan import ClusterPlan
from quest22.cluster.procedure import Policy
from quest22.cluster.ray.ledger_actor import ActorLedger
from quest22.cluster.ray.session import Node
from quest22.cluster.ray.visibility import SharedFolder
from quest22.cluster.work import ClusterWorker, ledger_of
from quest22.errors import Quest22Error, UsageError, unexpected
from quest22.runs.context import RunContext
from quest22.runs.figures import Figures
from quest22.settings import EngineSettings
from quest22.settings.cluster import ClusterWorkSettings

RELEASE_AFTER_S = 15.0
"""A worker that is stopped and still hangs in its unit gives it back after so long."""

LEAVE_AFTER_S = 25.0
"""A process that is told to end is gone after so long, whatever it waits for."""

NOTES = 20
"""Warnings that are kept until somebody asks for them."""

_log = logging.getLogger("quest22")


class WorkerResources(NamedTuple):
    """What a worker takes of a machine: cores, which are also its engine's threads, and GPUs."""

    cpus: int
    gpus: int = 0

    def options(self) -> dict[str, float]:
        """The same as options of a Ray actor."""
        gpus = {"num_gpus": self.gpus} if self.gpus else {}
        return {"num_cpus": self.cpus, **gpus}

    def room(self, node: Node) -> int:
        """How many such workers a node has room for."""
        room = node.cpus // self.cpus
        return min(room, node.gpus // self.gpus) if self.gpus else room


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """What a worker is to do. ``folder`` is the store's, if it is one."""

    store: str
    folder: SharedFolder | None
    resources: WorkerResources
    engine: EngineSettings
    work: ClusterWorkSettings


class WorkerState(Enum):
    """A worker opens the dataset and the model, works, and ends: stopped, done, or failed."""

    OPENING = "opening"
    WORKING = "working"
    ENDED = "ended"


class WorkerReport(NamedTuple):
    """How far a worker is.

    ``processed_s``: seconds of sound that it has transcribed in the ``working_s`` since it began.
    ``lease``: the unit that it is at. ``error``: why it ended early. ``all_ended``: it ended as
    nothing was left. ``notes``: its warnings since the last report.
    """

    name: str
    node: str
    state: WorkerState
    opened_in_s: float
    working_s: float
    processed_s: float
    lease: Lease | None
    error: Quest22Error | None
    all_ended: bool
    notes: tuple[str, ...]


class WorkerActor:
    """One worker of a plan; it begins at once. SIGTERM makes it give its unit back and exit."""

    def __init__(self, plan: ClusterPlan, task: WorkerTask, ledger: Any) -> None:
        """``ledger``: the handle of the actor to ask where the store's folder is not seen."""
        env.disable_torch()
        env.silence_progress_bars()
        self._notes = _Notes()
        _log.addHandler(self._notes)
        _log.setLevel(logging.WARNING)
        self._node = str(ray.get_runtime_context().get_node_id())
        self._plan = plan
        self._task = task
        self._ledger = ledger
        self._worker: ClusterWorker | None = None
        self._stopping = threading.Event()
        self._error: Quest22Error | None = None
        self._all_ended = False
        self._begun_s = self._opened_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="quest22-worker", daemon=True)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._terminate)
        self._thread.start()

    def report(self) -> WorkerReport:
        """How far the worker is."""
        worker = self._worker
        figures = None if worker is None else Figures.of(worker.summary.metrics)
        state = WorkerState.OPENING if worker is None else WorkerState.WORKING
        return WorkerReport(
            name=f"{self._node[:8]}-{os.getpid()}",
            node=self._node,
            state=state if self._thread.is_alive() else WorkerState.ENDED,
            opened_in_s=self._opened_s - self._begun_s,
            working_s=0.0 if figures is None else figures.elapsed_s,
            processed_s=0.0 if figures is None else figures.processed_s,
            lease=None if worker is None else worker.driver.lease,
            error=self._error,
            all_ended=self._all_ended,
            notes=self._notes.take(),
        )

    def stop(self) -> None:
        """End soon: the unit at hand is given back."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._worker is not None:
            self._worker.driver.stop()
        timer = threading.Timer(RELEASE_AFTER_S, self._release)
        timer.daemon = True
        timer.start()

    def _release(self) -> None:
        """The engine has not come to an end of its batch: the unit goes back without it."""
        if self._worker is not None and self._thread.is_alive():
            self._worker.driver.release()

    def _terminate(self, number: int, frame: Any) -> None:
        self.stop()
        threading.Thread(target=self._leave, name="quest22-leaving", daemon=True).start()

    def _leave(self) -> None:
        self._thread.join(LEAVE_AFTER_S)
        os._exit(0)

    def _run(self) -> None:
        try:
            with self._open() as worker:
                self._opened_s = time.monotonic()
                self._worker = worker
                if self._stopping.is_set():
                    worker.driver.stop()
                self._all_ended = not worker.run().stopped
        except Quest22Error as exc:
            kind = UsageError if isinstance(exc, UsageError) else Quest22Error
            self._error = kind(str(exc))  # of a kind that any process can read
        except Exception as exc:
            _log.debug("worker", exc_info=True)
            self._error = Quest22Error(unexpected(exc))

    def _open(self) -> ClusterWorker:
        task = self._task
        ledger: Ledger
        if task.folder is None or task.folder.is_seen:
            ledger = ledger_of(self._plan, open_store(task.store))
        else:
            ledger = ActorLedger(self._ledger, len(self._plan.units))
        policy = Policy(task.work.lease_s, task.work.max_attempts)
        engine = replace(task.engine, threads=task.engine.threads or task.resources.cpus)
        return ClusterWorker(self._plan, ledger, engine, RunContext(), policy)


class _Notes(logging.Handler):
    """Keeps warnings until they are taken."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._kept: deque[str] = deque(maxlen=NOTES)

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(record.getMessage())

    def take(self) -> tuple[str, ...]:
        """The warnings since the last time."""
        taken = []
        while self._kept:
            taken.append(self._kept.popleft())
        return tuple(taken)
