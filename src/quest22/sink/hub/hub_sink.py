"""Publishes transcripts as a dataset on the Hub, in commits while the run goes on.

Rows stay on disk until their file is complete on the Hub; one background thread makes the commits.
Every row is published exactly once: how rows are divided into files depends on the rows alone, so
a commit that succeeded but was not recorded is recognised, and one that failed is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from threading import Thread
from typing import Any

from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.settings import HubSettings
from quest22.sink.hub.commit_files import HubCommitter, HubTarget, PendingCommit, UploadState
from quest22.sink.hub.row_files import RowFiles
from quest22.sink.rows import row
from quest22.sink.run_counts import RunCounts

MAX_PENDING_FILES = 3
"""Full files that may wait on disk; beyond that the run waits for the Hub."""


class HubSink:
    """Publishes transcripts as Parquet files with a card, and the failures beside them.

    The constructor claims the repository and raises :class:`quest22.errors.SinkError` if it
    belongs to another run or the Hub refuses; ``replace`` deletes another run's transcripts.
    """

    def __init__(
        self,
        target: HubTarget,
        settings: HubSettings,
        state: SinkState | None = None,
        *,
        replace: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        target.repository.claim(target.run, fresh=not state, replace=replace)
        target = _with_source_card(target, state)
        self._target = target
        self._settings = settings
        self._clock = clock
        self._counts = RunCounts.from_json(state["counts"]) if state else RunCounts()
        self._rows = RowFiles(target.workspace, state)
        self._committer = HubCommitter(
            target, self._rows, UploadState.from_json(state) if state else UploadState()
        )
        self._thread: Thread | None = None
        self._upload_error: BaseException | None = None
        self._last_commit_at, self._last_commit_rows = clock(), self._counts.transcripts

    def write(self, result: Transcript | Failure) -> None:
        self._raise_upload_error()
        self._counts.add(result)
        if isinstance(result, Transcript):
            self._rows.append(row(result))
        if self._rows.count_full(self._committer.uploaded.files) > MAX_PENDING_FILES:
            self._wait_for_upload()
        if self._is_due() and not self._is_uploading():
            self._begin_upload()

    def publish(self) -> SinkState:
        """Make the rows durable on this machine; commits to the Hub follow their own schedule."""
        uploaded = self._committer.uploaded
        description = self._target.description
        source = {"license": description.license, "languages": list(description.languages)}
        rows = self._rows.publish(uploaded.files)
        counts = self._counts.to_json()
        return {**rows, **uploaded.to_json(), "counts": counts, "source": source}

    def close(self) -> None:
        """Commit everything that is left to the Hub."""
        self._wait_for_upload()
        self._committer.send(self._pending_commit(finished=True))
        self._rows.close()

    def _is_due(self) -> bool:
        settings = self._settings
        if self._rows.count_full(self._committer.uploaded.files) >= MAX_PENDING_FILES:
            return True
        if settings.commit_rows is not None:
            return self._counts.transcripts - self._last_commit_rows >= settings.commit_rows
        waited = self._clock() - self._last_commit_at
        return settings.commit_seconds is not None and waited >= settings.commit_seconds

    def _begin_upload(self) -> None:
        self._wait_for_upload()
        self._last_commit_at, self._last_commit_rows = self._clock(), self._counts.transcripts
        pending = self._pending_commit(finished=False)
        # A daemon thread, so that an interrupted run ends at once whatever the network does.
        self._thread = Thread(target=self._upload, args=(pending,), daemon=True, name="quest22-hub")
        self._thread.start()

    def _upload(self, pending: PendingCommit) -> None:
        try:
            self._committer.send(pending)
        except BaseException as exc:  # raised again by the thread that writes rows
            self._upload_error = exc

    def _pending_commit(self, *, finished: bool) -> PendingCommit:
        files = self._rows.pending(self._committer.uploaded.files)
        failures = self._target.failures
        failed = self._counts.failures or self._counts.open_ends
        size = failures.stat().st_size if failed and failures.exists() else 0
        return PendingCommit(tuple(files), deepcopy(self._counts), size, finished)

    def _is_uploading(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _wait_for_upload(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self._raise_upload_error()

    def _raise_upload_error(self) -> None:
        if self._upload_error is not None:
            raise self._upload_error


def _with_source_card(target: HubTarget, state: SinkState | None) -> HubTarget:
    """Add the licence and languages from the source's card, which is fetched once in a run."""
    plan = target.description.plan
    if state:
        source: dict[str, Any] = state["source"]
    elif plan.get("dataset_revision"):
        card = target.repository.source_card(str(plan["dataset"]), str(plan["dataset_revision"]))
        source = {"license": card.get("license"), "languages": card.get("language")}
    else:
        return target
    return replace(target, description=target.description.with_source(source))
