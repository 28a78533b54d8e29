"""From rows on disk to one commit on the Hub: Parquet files, the card, the failures, the record.

What a commit holds depends on the rows and on nothing else. Knows nothing of when commits are due.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from quest22.protocols import SinkState
from quest22.sink.arrow_table import TableFile, approx_bytes, schema_of, table_of, widened
from quest22.sink.dataset_card import RunDescription, card
from quest22.sink.files import make_folder, writing
from quest22.sink.hub_repository import RECORD, Content, HubRepository
from quest22.sink.parquet import GROUP_BYTES, GROUP_ROWS
from quest22.sink.row_files import RowFile, RowFiles
from quest22.sink.run_counts import Counts

if TYPE_CHECKING:
    import pyarrow as pa

FAILED = "failures.jsonl"
CARD = "README.md"
_FOLDER = "commit-"


@dataclass(frozen=True, slots=True)
class HubTarget:
    """Where transcripts go, and what is told of them.

    ``workspace`` is a folder for what is not there yet; ``failures`` the file of failed clips.
    """

    repository: HubRepository
    told: RunDescription
    workspace: Path
    failures: Path

    @property
    def run(self) -> str:
        """The run's name: the same for the same plan."""
        plan = json.dumps(dict(self.told.plan), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(plan.encode("utf-8", "backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class UploadState:
    """What is on the Hub for good: so many whole files, and the schema that holds their rows."""

    files: int = 0
    schema: pa.Schema | None = None

    @classmethod
    def restored(cls, kept: SinkState) -> UploadState:
        import pyarrow as pa

        if not kept["schema"]:
            return cls(kept["shipped"])
        read = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(kept["schema"])))
        return cls(kept["shipped"], read)

    def kept(self) -> SinkState:
        schema = b"" if self.schema is None else self.schema.serialize().to_pybytes()
        return {"shipped": self.files, "schema": base64.b64encode(schema).decode("ascii")}


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """What is to be published now: files from the first that is not there for good."""

    files: tuple[RowFile, ...]
    counts: Counts
    failures_bytes: int
    finished: bool


class HubCommitter:
    """Publishes shipments, one at a time; ``shipped`` is what has arrived."""

    def __init__(self, target: HubTarget, rows: RowFiles, shipped: UploadState) -> None:
        self.shipped = shipped
        self._target = target
        self._rows = rows
        for left in target.workspace.glob(f"{_FOLDER}*"):  # of a process that died
            shutil.rmtree(left, ignore_errors=True)

    def send(self, shipment: PendingCommit) -> None:
        """Publish in one commit; raises :class:`quest22.errors.SinkError`."""
        make_folder(self._target.workspace)
        with TemporaryDirectory(dir=self._target.workspace, prefix=_FOLDER) as folder:
            tables, shipped, schema = self._tables(shipment, Path(folder))
            files = tables | self._beside(shipment, schema, Path(folder) / FAILED)
            count = f"{shipment.counts.transcripts:,} transcripts"
            message = f"{count}, finished" if shipment.finished else count
            self._target.repository.commit(files, message, self._stale(shipment, shipped))
        self.shipped = shipped

    def _tables(
        self, shipment: PendingCommit, folder: Path
    ) -> tuple[dict[str, Content], UploadState, pa.Schema]:
        shipped, schema = self.shipped, self.shipped.schema
        tables: dict[str, Content] = {}
        for file in shipment.files:
            if not file.rows and (file.index or not shipment.finished):
                continue
            path = folder / f"{file.index:05d}.parquet"
            schema = self._write(file, schema, path)
            tables[f"data/{self._target.told.split}-{file.index:05d}.parquet"] = path
            if file.full or shipment.finished:
                shipped = UploadState(file.index + 1, schema)
        return tables, shipped, schema if schema is not None else schema_of([])

    def _write(self, file: RowFile, schema: pa.Schema | None, path: Path) -> pa.Schema:
        schema = self._widened(file, schema)
        table = TableFile(path, schema)
        for group in row_groups(self._rows.read(file)):
            table.write(table_of(group, schema))
        table.close()
        return schema

    def _widened(self, file: RowFile, schema: pa.Schema | None) -> pa.Schema:
        """A schema that holds every row: a type may change until all have been seen with it."""
        schema = schema if schema is not None else schema_of([])
        before = None
        while schema != before:
            before = schema
            for group in row_groups(self._rows.read(file)):
                schema = widened(schema, group)
        return schema

    def _beside(
        self, shipment: PendingCommit, schema: pa.Schema, failures: Path
    ) -> dict[str, Content]:
        counts, finished = shipment.counts, shipment.finished
        record = {
            "quest22": 1,
            "run": self._target.run,
            "finished": finished,
            "transcripts": counts.transcripts,
            "failures": counts.failures,
            "audio_seconds": round(counts.audio_s, 3),
        }
        files: dict[str, Content] = {
            CARD: card(self._target.told, counts, schema, finished=finished).encode(),
            RECORD: (json.dumps(record, indent=1) + "\n").encode(),
        }
        if shipment.failures_bytes:
            _copy(self._target.failures, failures, shipment.failures_bytes)
            files[FAILED] = failures
        return files

    def _stale(self, shipment: PendingCommit, shipped: UploadState) -> Any:
        """Of an earlier life of this run: what an undisturbed one would not have written."""
        name = re.compile(rf"data/{re.escape(self._target.told.split)}-(\d{{5}})\.parquet")

        def stale(path: str) -> bool:
            match = name.fullmatch(path)
            if path == FAILED:
                return True
            return match is not None and int(match.group(1)) >= shipped.files

        return stale if shipment.finished else lambda _: False


def row_groups(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Rows in lists as long as a row group of Parquet may be."""
    group: list[Mapping[str, Any]] = []
    weight = 0
    for values in rows:
        group.append(values)
        weight += approx_bytes(values)
        if len(group) >= GROUP_ROWS or weight >= GROUP_BYTES:
            yield group
            group, weight = [], 0
    if group:
        yield group


def _copy(source: Path, target: Path, size: int) -> None:
    """The first bytes of a file that may be growing."""
    with writing(target):
        shutil.copyfile(source, target)
        with target.open("r+b") as file:
            file.truncate(size)
