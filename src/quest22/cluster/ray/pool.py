"""Workers as actors: started, asked how far they are, and stopped in an orderly way."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayActorError, RayError

from quest22.cluster.ledger import Lease
from quest22.cluster.ray.worker_actor import LEAVE_AFTER_S, WorkerReport, WorkerState
from quest22.errors import Quest22Error

PROCESS_START_S = 3.0
"""What a worker takes before its own clock begins: its process and its imports."""


class Lost(NamedTuple):
    """A worker that ended before its time, and why; ``lease`` if it died in a unit."""

    worker: str
    reason: str
    lease: Lease | None = None


@dataclass(slots=True)
class _Member:
    """One actor; ``asked`` is the report that it was asked for."""

    actor: Any
    asked: Any = None
    report: WorkerReport | None = None
    stopped_at: float | None = None

    @property
    def state(self) -> WorkerState | None:
        """None while it waits for room in the cluster."""
        return None if self.report is None else self.report.state

    @property
    def expendability(self) -> int:
        """The higher, the rather it is stopped if there are too many."""
        if self.report is None:
            return 3
        if self.report.state is WorkerState.OPENING:
            return 1
        return 2 if self.report.lease is None else 0


class Pool:
    """The workers of one run. ``start`` makes another actor; close the pool, or use ``with``."""

    def __init__(self, start: Callable[[], Any]) -> None:
        self._start = start
        self._members: list[_Member] = []
        self._opened: list[float] = []
        self._ended = (0.0, 0.0)
        self.notes: list[str] = []
        self.lost: list[Lost] = []
        self.all_ended = False

    @property
    def size(self) -> int:
        """Workers that run or wait for room, without those that are told to stop."""
        return sum(each.stopped_at is None for each in self._members)

    def count(self, state: WorkerState | None) -> int:
        """Workers in a state; None: those that wait for room."""
        return sum(each.state is state for each in self._members)

    @property
    def speed(self) -> float | None:
        """Seconds of sound that one worker transcribes in a second, as measured so far."""
        working_s, processed_s = self._ended
        for report in self._reports():
            working_s += report.working_s
            processed_s += report.processed_s
        return processed_s / working_s if processed_s else None

    @property
    def speed_together(self) -> float:
        """The same for all that work now."""
        return sum(
            report.processed_s / report.working_s
            for report in self._reports()
            if report.state is WorkerState.WORKING and report.working_s
        )

    @property
    def startup_s(self) -> float:
        """Seconds until a new worker works, as measured so far."""
        known = self._opened
        return PROCESS_START_S + (sum(known) / len(known) if known else 0.0)

    def resize(self, size: int) -> None:
        """Start or stop workers until ``size`` of them go on."""
        for _ in range(size - self.size):
            self._members.append(_Member(self._start()))
        running = [each for each in self._members if each.stopped_at is None]
        running.sort(key=lambda each: each.expendability, reverse=True)
        for each in running[: max(0, len(running) - size)]:
            self._stop(each)

    def leave(self, nodes: Collection[str]) -> None:
        """Stop the workers on some nodes."""
        for each in list(self._members):
            if each.report is not None and each.report.node in nodes:
                self._stop(each)

    def poll(self, within_s: float) -> None:
        """Ask every worker how far it is, and wait for that; forget those that have ended."""
        for each in self._members:
            if each.asked is None:
                each.asked = each.actor.report.remote()
        if not self._members:
            time.sleep(within_s)
            return
        asked = {each.asked: each for each in self._members}
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=within_s)
        for reference in ready:
            self._answered(asked[reference])
        for each in list(self._members):
            self._end_late(each)

    def end(self) -> None:
        """Stop all workers, and wait until they have given back what they had."""
        for each in list(self._members):
            self._stop(each)
        while self._members:
            self.poll(0.2)

    def kill(self) -> None:
        """End all workers at once; others get their units when the leases expire."""
        while self._members:
            self._forget(self._members[-1])

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _reports(self) -> Iterator[WorkerReport]:
        return (each.report for each in self._members if each.report is not None)

    def _answered(self, member: _Member) -> None:
        try:
            report: WorkerReport = ray.get(member.asked)
        except RayActorError as exc:
            self._died(member, _first_line(exc))
            return
        except RayError as exc:
            raise Quest22Error(f"the Ray cluster cannot be used: {_first_line(exc)}") from exc
        member.asked = None
        if report.state is not WorkerState.OPENING and member.state in (None, WorkerState.OPENING):
            self._opened.append(report.opened_in_s)
        member.report = report
        self.notes += [f"{report.name}: {note}" for note in report.notes]
        if report.state is WorkerState.ENDED:
            self._finished(member, report)

    def _finished(self, member: _Member, report: WorkerReport) -> None:
        if report.error is not None:
            self.lost.append(Lost(report.name, str(report.error)))
        self.all_ended = self.all_ended or report.all_ended
        self._forget(member)

    def _died(self, member: _Member, reason: str) -> None:
        if member.stopped_at is None:
            report = member.report
            name, lease = ("a worker", None) if report is None else (report.name, report.lease)
            self.lost.append(Lost(name, reason, lease))
        self._forget(member)

    def _stop(self, member: _Member) -> None:
        if member.stopped_at is not None:
            return
        member.stopped_at = time.monotonic()
        if member.report is None:  # it has no process yet, or has just begun to open the dataset
            self._forget(member)
        else:
            member.actor.stop.remote()

    def _end_late(self, member: _Member) -> None:
        if (
            member.stopped_at is not None
            and time.monotonic() - member.stopped_at > LEAVE_AFTER_S
            and member in self._members
        ):
            self._forget(member)

    def _forget(self, member: _Member) -> None:
        self._members.remove(member)
        if member.report is not None:
            working_s, processed_s = self._ended
            report = member.report
            self._ended = (working_s + report.working_s, processed_s + report.processed_s)
        with suppress(RayError):
            ray.kill(member.actor)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
