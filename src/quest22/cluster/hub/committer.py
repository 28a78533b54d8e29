"""Commits files to the dataset on the Hub, each once, whoever else commits and whoever dies.

A commit names its parent. If the repository has changed since it was read, the commit is refused,
the repository is read again, and what somebody else has published meanwhile is left out. The same
happens if no answer came: the commit was carried out if the repository's record says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quest22.cluster.hub.files import BuiltFile
from quest22.cluster.hub.record import HubRecord, PublishedFile
from quest22.errors import SinkError
from quest22.sink.formats.arrow_table import joined_schema
from quest22.sink.hub.commit_files import CARD
from quest22.sink.hub.dataset_card import RunDescription, card
from quest22.sink.hub.hub_repository import (
    HUB_OWN_FILE,
    RECORD,
    Commit,
    Content,
    HubRepository,
    Snapshot,
)

if TYPE_CHECKING:
    import pyarrow as pa

COMMITS_APART_S = 30.0
"""Between two commits: 120 an hour, of 128 that the Hub allows."""


class Pace:
    """Keeps commits apart, also those of a committer from the last ones of its predecessor."""

    def __init__(
        self,
        apart_s: float = COMMITS_APART_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._apart_s = apart_s
        self._clock = clock
        self._sleep = sleep
        self._last: float | None = None

    def committed(self) -> None:
        """A commit was made now, or may have been by another committer."""
        self._last = self._clock()

    def wait(self) -> None:
        """Wait until the next commit may be made."""
        if self._last is not None:
            self._sleep(max(0.0, self._last + self._apart_s - self._clock()))


class ClusterCommitter:
    """Commits for one plan, whose digest is ``run``; ``commits`` counts them."""

    def __init__(
        self,
        repository: HubRepository,
        run: str,
        planned_units: int,
        description: RunDescription,
        pace: Pace | None = None,
    ) -> None:
        self.commits = 0
        self._repository = repository
        self._none = HubRecord(run, planned_units)
        self._description = replace(description, has_errors=True)
        self._pace = pace or Pace()

    def read(self) -> HubRecord:
        """What is published.

        Raises :class:`SinkError` if the Hub refuses, or if the repository has other content.
        """
        return self._own(self._repository.snapshot())

    def commit(
        self,
        built: Sequence[BuiltFile],
        schema: pa.Schema,
        failed_units: int,
        is_complete: Callable[[HubRecord], bool],
    ) -> HubRecord:
        """Publish these files, unless they are; gives what is published then.

        ``is_complete`` says of what will be published whether nothing is missing. Raises
        :class:`SinkError`.
        """
        files = {each.source.index: PublishedFile.of(each) for each in built}
        source = self._source()
        done = self._none

        def prepare(snapshot: Snapshot) -> Commit | None:
            nonlocal done
            record = self._own(snapshot)
            new = {each.source.index: each for each in built if not record.holds(each.source)}
            fits = schema if record.schema is None else joined_schema(record.schema, schema)
            done = record.with_files({index: files[index] for index in new}, fits)
            done = replace(
                done, failed_units=failed_units, finished=is_complete(done), source=source
            )
            if done == record:
                return None
            uploads: dict[str, Content] = {self.name_of(i): each.path for i, each in new.items()}
            return Commit(uploads | self._described(done, fits), _message(done))

        self._pace.wait()
        self._repository.update(prepare)
        self._pace.committed()
        self.commits += 1
        return done

    def name_of(self, index: int) -> str:
        """The path of a file in the repository."""
        return f"data/{self._description.split}-{index:05d}.parquet"

    def _described(self, record: HubRecord, schema: pa.Schema) -> dict[str, Content]:
        told = replace(
            self._description.with_source(record.source), failed_units=record.failed_units
        )
        text = card(told, record.counts, schema, finished=record.finished)
        stored = json.dumps(record.to_json(), ensure_ascii=False, indent=1) + "\n"
        return {CARD: text.encode(), RECORD: stored.encode()}

    def _source(self) -> Mapping[str, Any]:
        """Licence and languages of the source, from its card."""
        plan = self._description.plan
        if not plan.get("dataset_revision"):
            return {}
        if not self._none.source:
            name, revision = str(plan["dataset"]), str(plan["dataset_revision"])
            told = self._repository.source_card(name, revision)
            source = {"license": told.get("license"), "languages": told.get("language")}
            self._none = replace(self._none, source=source)
        return self._none.source

    def _own(self, snapshot: Snapshot) -> HubRecord:
        """The record of this plan. Raises :class:`SinkError` if something else is there."""
        record, others = snapshot.record, [p for p in snapshot.files if p != HUB_OWN_FILE]
        if record is None and not others:
            return self._none
        if record is None or record.get("run") != self._none.run:
            content = "the transcripts of another run" if record else f"other files ({others[0]})"
            raise SinkError(
                f"the dataset {self._repository.name} on the Hub already holds {content}: make a "
                "plan with another --push-to-hub"
            )
        try:
            return HubRecord.from_json(record).checked(self.name_of, snapshot.files)
        except (KeyError, TypeError, ValueError) as exc:
            raise SinkError(
                f"{RECORD} in {self._repository.name} on the Hub was changed ({exc!r}): put it "
                "back as it was"
            ) from exc


def _message(record: HubRecord) -> str:
    count = f"{record.counts.transcripts:,} transcripts"
    return f"{count}, finished" if record.finished else count
