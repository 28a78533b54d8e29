"""Makes one commit on the Hub from rows on disk: Parquet files, card, failures and run record.

A commit's content depends on the rows alone. :mod:`quest22.sink.hub.hub_sink` decides when.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from quest22.protocols import SinkState
from quest22.sink.files import make_folder, writing
from quest22.sink.formats.arrow_table import (
    TableFile,
    schema_from_text,
    schema_of,
    schema_of_groups,
    schema_to_text,
    table_of,
)
from quest22.sink.formats.parquet import row_groups
from quest22.sink.hub.dataset_card import RunDescription, card
from quest22.sink.hub.hub_repository import RECORD, Content, HubRepository
from quest22.sink.hub.row_files import RowFile, RowFiles
from quest22.sink.run_counts import RunCounts

if TYPE_CHECKING:
    import pyarrow as pa

FAILURES = "failures.jsonl"
CARD = "README.md"
_FOLDER_PREFIX = "commit-"


@dataclass(frozen=True, slots=True)
class HubTarget:
    """The dataset repository, and what its card says of the run.

    ``workspace`` is a local folder for rows that are not uploaded yet; ``failures`` is the local
    file of failed clips.
    """

    repository: HubRepository
    description: RunDescription
    workspace: Path
    failures: Path

    @property
    def run(self) -> str:
        """The run's identifier, a digest of its plan."""
        plan = json.dumps(dict(self.description.plan), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(plan.encode("utf-8", "backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class UploadState:
    """What is final on the Hub: the number of full files, and a schema that fits their rows."""

    files: int = 0
    schema: pa.Schema | None = None

    @classmethod
    def from_json(cls, stored: SinkState) -> UploadState:
        """The state that :meth:`to_json` described."""
        return cls(stored["shipped"], schema_from_text(stored["schema"]))

    def to_json(self) -> SinkState:
        """The state as JSON values, under the names that journals have."""
        return {"shipped": self.files, "schema": schema_to_text(self.schema)}


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """The content of the next commit: all row files that are not final on the Hub."""

    files: tuple[RowFile, ...]
    counts: RunCounts
    failures_bytes: int
    finished: bool


class HubCommitter:
    """Makes commits, one at a time; ``uploaded`` is what the Hub has received."""

    def __init__(self, target: HubTarget, rows: RowFiles, uploaded: UploadState) -> None:
        self.uploaded = uploaded
        self._target = target
        self._rows = rows
        for leftover in target.workspace.glob(f"{_FOLDER_PREFIX}*"):  # of an interrupted process
            shutil.rmtree(leftover, ignore_errors=True)

    def send(self, pending: PendingCommit) -> None:
        """Upload in one commit; raises :class:`quest22.errors.SinkError`."""
        make_folder(self._target.workspace)
        with TemporaryDirectory(dir=self._target.workspace, prefix=_FOLDER_PREFIX) as folder:
            tables, uploaded, schema = self._tables(pending, Path(folder))
            files = tables | self._other_files(pending, schema, Path(folder) / FAILURES)
            count = f"{pending.counts.transcripts:,} transcripts"
            message = f"{count}, finished" if pending.finished else count
            self._target.repository.commit(files, message, self._stale(pending, uploaded))
        self.uploaded = uploaded

    def _tables(
        self, pending: PendingCommit, folder: Path
    ) -> tuple[dict[str, Content], UploadState, pa.Schema]:
        uploaded, schema = self.uploaded, self.uploaded.schema
        tables: dict[str, Content] = {}
        for file in pending.files:
            if not file.rows and (file.index or not pending.finished):
                continue
            path = folder / f"{file.index:05d}.parquet"
            schema = self._write(file, schema, path)
            tables[f"data/{self._target.description.split}-{file.index:05d}.parquet"] = path
            if file.full or pending.finished:
                uploaded = UploadState(file.index + 1, schema)
        return tables, uploaded, schema if schema is not None else schema_of([])

    def _write(self, file: RowFile, schema: pa.Schema | None, path: Path) -> pa.Schema:
        schema = schema_of_groups(lambda: row_groups(self._rows.read(file)), schema)
        table = TableFile(path, schema)
        for group in row_groups(self._rows.read(file)):
            table.write(table_of(group, schema))
        table.close()
        return schema

    def _other_files(
        self, pending: PendingCommit, schema: pa.Schema, failures: Path
    ) -> dict[str, Content]:
        counts, finished = pending.counts, pending.finished
        record = {
            "quest22": 1,
            "run": self._target.run,
            "finished": finished,
            "transcripts": counts.transcripts,
            "failures": counts.failures,
            "open_ends": counts.open_ends,
            "audio_seconds": round(counts.audio_s, 3),
        }
        files: dict[str, Content] = {
            CARD: card(self._target.description, counts, schema, finished=finished).encode(),
            RECORD: (json.dumps(record, indent=1) + "\n").encode(),
        }
        if pending.failures_bytes:
            _copy(self._target.failures, failures, pending.failures_bytes)
            files[FAILURES] = failures
        return files

    def _stale(self, pending: PendingCommit, uploaded: UploadState) -> Any:
        """Which files to delete: those that an uninterrupted run would not have written."""
        name = re.compile(rf"data/{re.escape(self._target.description.split)}-(\d{{5}})\.parquet")

        def stale(path: str) -> bool:
            match = name.fullmatch(path)
            if path == FAILURES:
                return True
            return match is not None and int(match.group(1)) >= uploaded.files

        return stale if pending.finished else lambda _: False


def _copy(source: Path, target: Path, size: int) -> None:
    """Copy the first ``size`` bytes of a file that may be growing."""
    with writing(target):
        shutil.copyfile(source, target)
        with target.open("r+b") as file:
            file.truncate(size)
