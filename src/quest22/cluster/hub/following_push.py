"""Publishes a plan's transcripts beside the workers of the same process's run."""

from __future__ import annotations

import queue
import threading

from quest22.cluster.hub.committer import COMMITS_APART_S, Pace
from quest22.cluster.hub.push import Push, Schedule
from quest22.cluster.hub.record import HubRecord
from quest22.cluster.hub.target import PublishTarget
from quest22.cluster.object_store import ObjectStore
from quest22.errors import Quest22Error, SinkError
from quest22.runs.events import ClusterNote, ClusterPublished, OnEvent, RunEvent
from quest22.settings import HubSettings
from quest22.sink.hub.hub_repository import HubRepository

LEAVE_WITHIN_S = 20.0
"""An interrupted run waits so long for its committer: a commit at hand may still come through."""


class FollowingPush:
    """A :class:`Push` in a thread, which ends with the block that this is the context of.

    ``hub`` says how often it commits; commits are ``pace_s`` seconds apart. Raises
    :class:`quest22.errors.SinkError` at once if the dataset may not be published to.
    """

    def __init__(
        self,
        store: ObjectStore,
        target: PublishTarget,
        repository: HubRepository,
        hub: HubSettings,
        pace_s: float = COMMITS_APART_S,
    ) -> None:
        self._shown = store.shown
        self._leaving = threading.Event()
        self._news: queue.SimpleQueue[RunEvent] = queue.SimpleQueue()
        self._error: Quest22Error | None = None
        schedule = Schedule(hub.commit_seconds, hub.commit_rows, sleep=self._sleep)
        self._url = repository.url
        self._push = Push(store, target, repository, schedule, Pace(pace_s, sleep=self._sleep))
        self._push.check()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="quest22-hub")

    def __enter__(self) -> FollowingPush:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join(LEAVE_WITHIN_S)

    def telling(self, on_event: OnEvent) -> OnEvent:
        """The same callback, which is also told, in its own thread, of what has been published."""

        def tell(event: RunEvent) -> None:
            self._tell(on_event)
            on_event(event)

        return tell

    def finish(self, on_event: OnEvent) -> None:
        """Publish the rest, once the workers have ended. Raises :class:`SinkError`."""
        self._leaving.set()
        self._thread.join()
        self._leaving.clear()
        self._tell(on_event)
        try:
            if self._error is not None:
                raise self._error
            self._push.run(follow=False, on_commit=lambda record: on_event(self._event(record)))
        except Quest22Error as exc:
            raise SinkError(
                f"{exc}; all transcripts are in {self._shown}: publish them with: quest22 push "
                f"{self._shown}"
            ) from exc

    def _follow(self) -> None:
        try:
            self._push.run(
                follow=True, on_commit=lambda record: self._news.put(self._event(record))
            )
        except _LeavingError:
            pass
        except Quest22Error as exc:
            self._error = exc
            self._news.put(ClusterNote(f"nothing more is published on the Hub: {exc}"))

    def _tell(self, on_event: OnEvent) -> None:
        while not self._news.empty():
            on_event(self._news.get())

    def _event(self, record: HubRecord) -> ClusterPublished:
        counts = record.counts
        return ClusterPublished(
            self._url,
            record.planned_units,
            record.units,
            counts.transcripts,
            counts.failures,
            record.finished,
        )

    def _sleep(self, seconds: float) -> None:
        if self._leaving.wait(seconds):
            raise _LeavingError


class _LeavingError(Exception):
    """Ends the thread, from within a wait."""
