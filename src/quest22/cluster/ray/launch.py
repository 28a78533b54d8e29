"""Workers on a Ray cluster: as many as the work needs, until all units have ended.

What is done lies in the store. So this process may die at any time: the same run goes on from
there, and so do ``quest22 work``, ``status`` and ``retry``.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from quest22.cluster.folder_store import FolderStore
from quest22.cluster.ledger import Lease, Ledger, LedgerUnavailableError, shard_of
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.plan import ClusterPlan
from quest22.cluster.pool_size import Need, PoolLimits, pool_size
from quest22.cluster.progress import StoreProgress, Totals
from quest22.cluster.ray.ledger_actor import LedgerActor
from quest22.cluster.ray.pool import Lost, Pool
from quest22.cluster.ray.session import Node, RaySession
from quest22.cluster.ray.visibility import SharedFolder, check_nodes, probed
from quest22.cluster.ray.worker_actor import (
    WorkerActor,
    WorkerResources,
    WorkerState,
    WorkerTask,
)
from quest22.cluster.store_ledger import StoreLedger
from quest22.cluster.work import ledger_of
from quest22.engine.build import device_for_others
from quest22.errors import Quest22Error
from quest22.runs.events import ClusterNote, ClusterProgress, OnEvent
from quest22.runs.plan import with_engine_of
from quest22.settings import EngineSettings
from quest22.settings.cluster import ClusterRunSettings, ClusterWorkSettings

POLL_S = 1.0
"""How often workers are asked how far they are."""

READING_SHARE = 0.05
"""The most of the time that is spent on reading the store's totals."""

DRAINS_EVERY_S = 5.0

MAX_CPUS = 8
"""Cores of a worker, unless it is told: more do not make one engine much faster."""

MAX_LOST_IN_ROW = 5
"""Workers that end before their time, without any unit done meanwhile, before the run gives up."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What workers are started for. ``unit_s``: the sound that a unit was planned to have."""

    plan: ClusterPlan
    store: ObjectStore
    address: str
    run: ClusterRunSettings
    work: ClusterWorkSettings
    engine: EngineSettings
    unit_s: float


def run_workers(launch: Launch, session: RaySession, on_event: OnEvent) -> ClusterProgress:
    """Run workers until all units have ended; the last progress.

    A KeyboardInterrupt, also by SIGTERM or SIGUSR1, gives back what is at hand and is raised again;
    a second one, meanwhile, does not wait for that. Raises :class:`Quest22Error` if workers end one
    after another.
    """
    engine = with_engine_of(launch.plan.run, launch.engine)
    engine = replace(engine, device=device_for_others(engine))
    launch = replace(launch, engine=engine)
    resources, limits = pool_of(launch.run, engine, session.nodes())
    with ExitStack() as stack:
        shared = None
        if isinstance(launch.store, FolderStore):
            shared = stack.enter_context(probed(Path(launch.address)))
        start = _starter(launch, session, shared, resources)
        pool = stack.enter_context(Pool(start))
        stack.enter_context(_interrupts())
        return _Run(launch, session, pool, limits, on_event).until_ended()


def pool_of(
    run: ClusterRunSettings, engine: EngineSettings, nodes: list[Node]
) -> tuple[WorkerResources, PoolLimits]:
    """What a worker takes, and how many workers; if not given, as many as nodes have room for.

    ``--device cuda`` gives each worker a GPU; Ray shows it no other.
    """
    gpus = int(engine.device.startswith("cuda"))
    nodes = [node for node in nodes if node.cpus and node.gpus >= gpus]
    cpus = run.worker_cpus
    if cpus is None:
        cpus = min([MAX_CPUS, *(node.cpus for node in nodes)])
        if run.workers is not None:  # on one machine, say, they share its cores
            cpus = max(1, min(cpus, sum(node.cpus for node in nodes) // run.workers[1]))
    resources = WorkerResources(cpus, gpus)
    if run.workers is not None:
        return resources, PoolLimits(*run.workers)
    room = max(1, sum(map(resources.room, nodes)))
    return resources, PoolLimits(room, room)


def _starter(
    launch: Launch, session: RaySession, shared: SharedFolder | None, resources: WorkerResources
) -> Callable[[], Any]:
    """A function that starts a worker somewhere in the cluster."""
    keeper = check_nodes(session, shared)
    plan = ray.put(launch.plan)
    ledger = None
    if keeper is not None:
        here = NodeAffinitySchedulingStrategy(keeper.id, soft=False)
        ledger = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(
            LedgerActor
        ).remote(launch.address)
    engine = replace(launch.engine, model=None, revision=None)
    if resources.gpus:
        engine = replace(engine, device="cuda")  # whichever it is given
    task = WorkerTask(launch.address, shared, resources, engine, launch.work)
    options = {**resources.options(), "max_restarts": 0, "scheduling_strategy": "SPREAD"}
    worker = ray.remote(**options)(WorkerActor)
    return lambda: worker.remote(plan, task, ledger)


@contextmanager
def _interrupts() -> Iterator[None]:
    """Let signals that end a process end the run as Ctrl-C does; Ray has set its own handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGUSR1")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    former = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def give_up(ledger: Ledger, lease: Lease, reason: str, max_attempts: int) -> None:
    """End the attempt of a worker that is dead, so that others need not wait for its lease to end.

    Does nothing if it has given the lease back, or another has the unit meanwhile. Were it alive
    after all, it could still publish.
    """
    held = ledger.view(shard_of(lease.unit)).held.get(lease.unit)
    if held is not None and held.epoch == lease.epoch and not held.given_up:
        ledger.fail(lease, f"its worker ended: {reason}", lease.attempt >= max_attempts)


@dataclass(slots=True)
class _Run:
    """The loop that keeps a pool as large as it should be."""

    launch: Launch
    session: RaySession
    pool: Pool
    limits: PoolLimits
    on_event: OnEvent
    began: float = field(default_factory=time.monotonic)
    totals: Totals = field(default_factory=Totals)
    lost_in_row: int = 0
    _read_next: float = 0.0
    _drains_next: float = 0.0
    _ledger: StoreLedger = field(init=False)
    _progress: StoreProgress = field(init=False)

    def __post_init__(self) -> None:
        self._ledger = ledger_of(self.launch.plan, self.launch.store)
        self._progress = StoreProgress(self._ledger)

    def until_ended(self) -> ClusterProgress:
        self._read()
        try:
            while self.totals.left and not self.pool.all_ended:
                self._step()
            self.pool.end()
        except (KeyboardInterrupt, Quest22Error):
            self.pool.end()
            raise
        self._read_next = 0.0
        self._read()
        return self._told()

    def _step(self) -> None:
        self._leave_draining_nodes()
        size = self.pool.size
        wanted = pool_size(self._need(), self.limits, size)
        if wanted != size:
            self.pool.resize(wanted)
        self.pool.poll(POLL_S)
        self._read()
        self._tell_notes()
        self.on_event(self._told())

    def _need(self) -> Need:
        finish_in_s = self.launch.run.finish_in_s
        left_s = None if finish_in_s is None else finish_in_s - (time.monotonic() - self.began)
        return Need(
            self.totals.left, self._sound_left_s(), self.pool.speed, self.pool.startup_s, left_s
        )

    def _sound_left_s(self) -> float:
        """From the units that are done, or as the plan estimates, how much is in the others."""
        totals = self.totals
        mean_s = totals.audio_s / totals.published if totals.published else self.launch.unit_s
        return totals.left * mean_s

    def _read(self) -> None:
        """Read the totals, unless that was lately."""
        now = time.monotonic()
        if now < self._read_next:
            return
        before = self.totals
        try:
            self.totals = self._progress.read()
        except LedgerUnavailableError as exc:
            self.on_event(ClusterNote(f"{exc}; trying again until the store answers"))
        if self.totals != before:
            self.lost_in_row = 0
        taken_s = time.monotonic() - now
        self._read_next = now + max(POLL_S, taken_s / READING_SHARE)

    def _leave_draining_nodes(self) -> None:
        now = time.monotonic()
        if now >= self._drains_next:
            self._drains_next = now + DRAINS_EVERY_S
            self.pool.leave(self.session.draining())

    def _tell_notes(self) -> None:
        for note in self.pool.notes:
            self.on_event(ClusterNote(note))
        self.pool.notes.clear()
        for lost in self.pool.lost:
            self._tell_lost(lost)
        self.pool.lost.clear()

    def _tell_lost(self, lost: Lost) -> None:
        if lost.lease is not None:
            with suppress(LedgerUnavailableError):  # else it expires
                give_up(self._ledger, lost.lease, lost.reason, self.launch.work.max_attempts)
        self.lost_in_row += 1
        self.on_event(ClusterNote(f"{lost.worker} ended: {lost.reason}"))
        if self.lost_in_row >= MAX_LOST_IN_ROW:
            raise Quest22Error(
                f"{self.lost_in_row} workers ended before their time and no unit was done "
                f"meanwhile, the last because: {lost.reason}"
            )

    def _told(self) -> ClusterProgress:
        speed = self.pool.speed_together
        return ClusterProgress(
            *self.totals,
            elapsed_s=time.monotonic() - self.began,
            speed=speed,
            workers=self.pool.count(WorkerState.WORKING),
            opening=self.pool.count(WorkerState.OPENING),
            waiting=self.pool.count(None),
            left_s=self._sound_left_s() / speed if speed else None,
        )
