"""Publishes a plan's transcripts on the Hub: ``quest22 push STORE``.

Needs no coordinator and keeps nothing: what is to be done follows from the store, and what has been
done from the repository. So it may be killed at any time, and continued on another machine.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from quest22.cluster.hub.committer import ClusterCommitter, Pace
from quest22.cluster.hub.files import BuiltFile, FileBuilder, UnitsFile, units_files
from quest22.cluster.hub.lease import LEASE_S, CommitterLease
from quest22.cluster.hub.progress import Progress, is_over, progress_of
from quest22.cluster.hub.record import HubRecord
from quest22.cluster.hub.target import PublishTarget, read_target
from quest22.cluster.layout import PLAN, hub_published_name
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.patient_store import PatientStore
from quest22.cluster.plan import read_plan
from quest22.cluster.retry_round import rounds
from quest22.cluster.work import worker_name
from quest22.errors import UsageError
from quest22.runs.plan import flat_plan
from quest22.runs.publish import split_name
from quest22.runs.sealed import without_secrets
from quest22.sink.hub.dataset_card import RunDescription
from quest22.sink.hub.hub_repository import HubRepository, RetryPolicy

BATCH_FILES, BATCH_BYTES = 100, 512 << 20
"""A commit has at most so many files, or as many as come to about so many bytes."""

MAX_PARTIAL = 10
"""Files that others will be added to are published only while there are no more of them."""

PUSH_RETRIES = RetryPolicy(timeout_s=6 * 3600.0, max_retry_after_s=3700.0)
"""A committer has nothing else to do than to wait for the Hub, whose limits are by the hour."""

WORKER_RETRIES = RetryPolicy(timeout_s=120.0)
"""A worker's machine is worth more than that, and another one may publish."""

_log = logging.getLogger("quest22")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a committer that follows the workers commits: by time or by transcripts.

    ``poll_s``: how often it looks for the end of the work. ``lease_s``: after so long without a
    sign of life another committer takes its place.
    """

    commit_seconds: float | None = 600.0
    commit_rows: int | None = None
    poll_s: float = 30.0
    lease_s: float = LEASE_S
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class PushSummary:
    """What is on the Hub, and in how many commits this committer has put it there."""

    url: str
    record: HubRecord
    commits: int = 0
    retries: int = 0


class Push:
    """Publishes what is in a store; use :func:`open_push`."""

    def __init__(
        self,
        store: ObjectStore,
        target: PublishTarget,
        repository: HubRepository,
        schedule: Schedule | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._schedule = schedule or Schedule()
        self._pace = pace or Pace()
        self._store = PatientStore(store, self._schedule.sleep)
        self._plan = read_plan(self._store)
        self._repository = repository
        self._committer = ClusterCommitter(
            repository,
            run_of(self._store),
            len(self._plan.units),
            _description(repository.name, self._plan.run, target.command),
            self._pace,
        )

    def check(self) -> HubRecord:
        """What is published; raises :class:`quest22.errors.SinkError` if this plan may not be."""
        return self._committer.read()

    def run(
        self, *, follow: bool, on_commit: Callable[[HubRecord], None] = lambda record: None
    ) -> PushSummary:
        """Publish what the workers have done; with ``follow``, until they have done all.

        Waits if another committer is at work. ``on_commit`` is told of each commit. Raises
        :class:`quest22.errors.SinkError`.
        """
        lease = CommitterLease(
            self._store, worker_name(), self._schedule.lease_s, self._schedule.sleep
        )
        lease.acquire(_tell_wait)
        return self.run_with(lease, follow=follow, on_commit=on_commit)

    def run_with(
        self,
        lease: CommitterLease,
        *,
        follow: bool = False,
        on_commit: Callable[[HubRecord], None] = lambda record: None,
    ) -> PushSummary:
        """The same with a lease that is held, and given back at the end."""
        if not lease.is_first:
            self._pace.committed()
        try:
            while True:
                progress = progress_of(self._plan, self._store)
                record = self._publish(progress, partial=not follow, on_commit=on_commit)
                if record.finished:
                    self._store.create(hub_published_name(progress.round), b"")
                if record.finished or not follow:
                    break
                self._wait(progress)
        finally:
            lease.release()
        return PushSummary(
            self._repository.url, record, self._committer.commits, self._repository.retries
        )

    def _publish(
        self, progress: Progress, *, partial: bool, on_commit: Callable[[HubRecord], None]
    ) -> HubRecord:
        """Commit the files that are not published as they are now, in batches."""
        record = self._committer.read()
        files = list(units_files(self._plan, progress))
        todo = [each for each in files if not record.holds(each)]
        growing = [each for each in todo if not each.whole]
        if growing and not partial and len(growing) > MAX_PARTIAL:
            todo = [each for each in todo if each.whole]

        def commit(batch: Sequence[BuiltFile]) -> HubRecord:
            record = self._committer.commit(batch, builder.schema, progress.failed, is_complete)
            on_commit(record)
            return record

        def is_complete(record: HubRecord) -> bool:
            return not progress.pending and all(record.holds(each) for each in files)

        with TemporaryDirectory(prefix="quest22-push-") as folder:
            builder = FileBuilder(self._plan, self._store, Path(folder), record.schema)
            for batch in _batches(builder, todo):
                record = commit(batch)
                for each in batch:
                    each.path.unlink()
            if (record.finished, record.failed_units) != (is_complete(record), progress.failed):
                record = commit([])
        return record

    def _wait(self, progress: Progress) -> None:
        """Wait until there is something to commit."""
        schedule = self._schedule
        due = None
        if schedule.commit_seconds is not None:
            due = schedule.clock() + schedule.commit_seconds
        while (left_s := math.inf if due is None else due - schedule.clock()) > 0:
            schedule.sleep(min(schedule.poll_s, left_s))
            if is_over(self._plan, self._store):
                return
            if schedule.commit_rows is not None:
                now = progress_of(self._plan, self._store)
                added = now.transcripts - progress.transcripts
                if added >= schedule.commit_rows or not now.pending:
                    return


def open_push(
    store: ObjectStore,
    token: str | None,
    schedule: Schedule | None = None,
    retries: RetryPolicy = PUSH_RETRIES,
) -> Push:
    """Open the dataset that a plan is published to, which is created if needed.

    Raises :class:`UsageError` if the plan is not to be published, and what
    :meth:`HubRepository.open` raises.
    """
    target = read_target(PatientStore(store))
    if target is None:
        raise UsageError(
            f"the plan in {store.shown} names no dataset on the Hub: name it with --push-to-hub "
            "ORG/NAME"
        )
    return Push(store, target, HubRepository.open(target.settings(token), retries), schedule)


def push_at_end(store: ObjectStore, token: str | None) -> PushSummary | None:
    """Publish what is there, for a worker that has nothing else to do any more.

    None if there is nothing to publish, or another committer is at work. Raises
    :class:`quest22.errors.Quest22Error`, soon if the Hub cannot be reached from here.
    """
    store = PatientStore(store)
    if read_target(store) is None or store.exists(hub_published_name(len(rounds(store)))):
        return None
    lease = CommitterLease(store, worker_name())
    if not lease.acquire():
        return None
    try:
        return open_push(store, token, retries=WORKER_RETRIES).run_with(lease)
    finally:
        lease.release()


def run_of(store: ObjectStore) -> str:
    """What identifies a plan on the Hub: a digest of it. The store has one."""
    stored = store.read(PLAN)
    return hashlib.sha256(b"" if stored is None else stored.content).hexdigest()[:16]


def _description(name: str, run: Mapping[str, Any], command: str) -> RunDescription:
    plan = without_secrets(flat_plan(run))
    return RunDescription(name, plan, command or "quest22 plan", split_name(str(plan["split"])))


def _batches(builder: FileBuilder, todo: Sequence[UnitsFile]) -> Iterator[list[BuiltFile]]:
    batch: list[BuiltFile] = []
    size = 0
    for each in todo:
        batch.append(builder.build(each))
        size += batch[-1].path.stat().st_size
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _tell_wait(holder: str) -> None:
    _log.warning(
        "another committer (%s) publishes these transcripts, or has died: waiting for it", holder
    )
