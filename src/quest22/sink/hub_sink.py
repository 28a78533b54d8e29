"""Transcripts as a dataset on the Hub, in commits as the run goes.

Rows wait on disk until the file that they belong to is whole on the Hub; commits are made beside
the run, by one thread. Exactly once: files are cut by their rows alone, so a commit that went
through but was not recorded is found again as it is, and one that was not is made again.
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
from quest22.sink.hub_commit import HubCommitter, HubTarget, PendingCommit, UploadState
from quest22.sink.row_files import RowFiles
from quest22.sink.rows import row
from quest22.sink.run_counts import Counts

MOST_WAITING = 3
"""Full files that may wait on disk; then the run waits for the Hub."""


class HubSink:
    """Publishes transcripts as Parquet files with a card, and the failures beside them.

    Making one claims the repository. Raises :class:`quest22.errors.SinkError` where it belongs to
    another run, or where the Hub refuses; ``replace`` lets another run's transcripts go.
    """

    def __init__(
        self,
        target: HubTarget,
        settings: HubSettings,
        kept: SinkState | None = None,
        *,
        replace: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        target.repository.claim(target.run, fresh=not kept, replace=replace)
        target = _with_source(target, kept)
        self._target = target
        self._settings = settings
        self._clock = clock
        self._counts = Counts.restored(kept["counts"]) if kept else Counts()
        self._rows = RowFiles(target.workspace, kept)
        self._shipping = HubCommitter(
            target, self._rows, UploadState.restored(kept) if kept else UploadState()
        )
        self._thread: Thread | None = None
        self._trouble: BaseException | None = None
        self._begun_at, self._begun_rows = clock(), self._counts.transcripts

    def write(self, result: Transcript | Failure) -> None:
        self._raise_trouble()
        self._counts.add(result)
        if isinstance(result, Transcript):
            self._rows.append(row(result))
        if self._rows.count_full(self._shipping.shipped.files) > MOST_WAITING:
            self._wait()
        if self._is_due() and not self._is_sending():
            self._begin()

    def publish(self) -> SinkState:
        """Make the rows durable here; on the Hub they are when they are due."""
        shipped = self._shipping.shipped
        told = self._target.told
        source = {"license": told.license, "languages": list(told.languages)}
        rows = self._rows.publish(shipped.files)
        return {**rows, **shipped.kept(), "counts": self._counts.kept(), "source": source}

    def close(self) -> None:
        """Publish all that is left on the Hub."""
        self._wait()
        self._shipping.send(self._shipment(finished=True))
        self._rows.close()

    def _is_due(self) -> bool:
        settings = self._settings
        if self._rows.count_full(self._shipping.shipped.files) >= MOST_WAITING:
            return True
        if settings.commit_rows is not None:
            return self._counts.transcripts - self._begun_rows >= settings.commit_rows
        waited = self._clock() - self._begun_at
        return settings.commit_seconds is not None and waited >= settings.commit_seconds

    def _begin(self) -> None:
        self._wait()
        self._begun_at, self._begun_rows = self._clock(), self._counts.transcripts
        shipment = self._shipment(finished=False)
        # A daemon: an interrupted run ends at once, whatever the network does.
        self._thread = Thread(target=self._send, args=(shipment,), daemon=True, name="quest22-hub")
        self._thread.start()

    def _send(self, shipment: PendingCommit) -> None:
        try:
            self._shipping.send(shipment)
        except BaseException as exc:  # raised again where rows are written
            self._trouble = exc

    def _shipment(self, *, finished: bool) -> PendingCommit:
        files = self._rows.waiting(self._shipping.shipped.files)
        failures = self._target.failures
        size = failures.stat().st_size if self._counts.failures and failures.exists() else 0
        return PendingCommit(tuple(files), deepcopy(self._counts), size, finished)

    def _is_sending(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self._raise_trouble()

    def _raise_trouble(self) -> None:
        if self._trouble is not None:
            raise self._trouble


def _with_source(target: HubTarget, kept: SinkState | None) -> HubTarget:
    """With what the source's own card names; asked once in a run's life."""
    plan = target.told.plan
    if kept:
        source: dict[str, Any] = kept["source"]
    elif plan.get("dataset_revision"):
        card = target.repository.source_card(str(plan["dataset"]), str(plan["dataset_revision"]))
        source = {"license": card.get("license"), "languages": card.get("language")}
    else:
        return target
    named = source["languages"] or ()
    languages = (named,) if isinstance(named, str) else tuple(str(code) for code in named)
    known = source["license"] if isinstance(source["license"], str) else None
    return replace(target, told=replace(target.told, license=known, languages=languages))
