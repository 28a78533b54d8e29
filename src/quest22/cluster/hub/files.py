"""The dataset's files: the units of a plan, joined to Parquet files of a size that the Hub likes.

A unit is too small to be a file there: a million of them would be a million requests for whoever
loads the dataset. Which units share a file depends on their numbers alone. Their rows keep the
order of the source, and rows that failed keep their ``error``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quest22.cluster.hub.progress import Progress
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.plan import ClusterPlan
from quest22.cluster.unit_file import ERROR, read_rows
from quest22.errors import SinkError
from quest22.sink.files import writing
from quest22.sink.formats.arrow_table import TableFile, schema_of, schema_of_groups, table_of
from quest22.sink.formats.parquet import row_groups
from quest22.sink.run_counts import MAX_STORED_REASONS, RunCounts, count_reason
from quest22.sink.stored_rows import transcript_of

if TYPE_CHECKING:
    import pyarrow as pa

FILE_UNITS = (50, 500, 5000)
"""Units in a file: as many as keep the dataset below ``MAX_FILES``. The first is about 17 hours."""

MAX_FILES = 10_000
"""A folder on the Hub may have no more."""

READERS = 8
"""Units that are read from the store at the same time."""


@dataclass(frozen=True)
class UnitsFile:
    """Units that make one file, each with the round that published it last.

    ``whole``: the others that belong there have failed for good, so nothing is to be waited for.
    """

    index: int
    units: tuple[tuple[int, int], ...]
    whole: bool

    @cached_property
    def key(self) -> str:
        """What the content follows from: equal keys have equal rows."""
        return hashlib.sha256(json.dumps(self.units).encode()).hexdigest()[:16]


def units_files(plan: ClusterPlan, progress: Progress) -> Iterator[UnitsFile]:
    """The files that can be made, in order; those without a published unit are left out."""
    units = len(plan.units)
    size = next((each for each in FILE_UNITS if units <= each * MAX_FILES), FILE_UNITS[-1])
    for first in range(0, units, size):
        span = range(first, min(first + size, units))
        published = tuple((u, progress.rounds[u]) for u in span if u in progress.rounds)
        if published:
            whole = progress.pending.isdisjoint(span)
            yield UnitsFile(first // size, published, whole)


@dataclass(slots=True)
class BuiltFile:
    """A file on this disk, its place in the dataset, and what its rows are."""

    source: UnitsFile
    path: Path
    schema: pa.Schema
    counts: RunCounts = field(default_factory=RunCounts)


class FileBuilder:
    """Builds files in a folder; ``schema`` grows, so that the last one fits all of them."""

    def __init__(
        self, plan: ClusterPlan, store: ObjectStore, folder: Path, schema: pa.Schema | None
    ) -> None:
        self.schema = schema_of([{ERROR: None}]) if schema is None else schema
        self._plan = plan
        self._store = store
        self._folder = folder

    def build(self, source: UnitsFile) -> BuiltFile:
        """Read the units, and write their rows. Raises :class:`SinkError`."""
        with ThreadPoolExecutor(READERS) as pool:
            parts = list(pool.map(self._fetch, (unit for unit, _ in source.units)))
        self.schema = schema_of_groups(lambda: row_groups(self._rows(parts)), self.schema)
        built = BuiltFile(source, self._folder / f"{source.index:05d}.parquet", self.schema)
        table = TableFile(built.path, self.schema)
        for group in row_groups(self._rows(parts)):
            table.write(table_of(group, self.schema))
            for row in group:
                _count(built.counts, row)
        table.close()
        for part in parts:
            part.unlink()
        return built

    def _fetch(self, unit: int) -> Path:
        name = self._plan.output_name(unit)
        stored = self._store.read(name)
        if stored is None:
            raise SinkError(
                f"{self._store.shown}/{name} is gone, though it was published: put it back"
            )
        path = self._folder / f"unit-{unit:07d}"
        with writing(path):
            path.write_bytes(stored.content)
        return path

    def _rows(self, parts: list[Path]) -> Iterator[dict[str, Any]]:
        for part in parts:
            yield from read_rows(part.read_bytes(), self._plan.format)


def _count(counts: RunCounts, row: Mapping[str, Any]) -> None:
    if row.get(ERROR) is None:
        counts.add(transcript_of(dict(row), str(row["id"])))
        return
    counts.failures += 1
    stage, _, reason = str(row[ERROR]).partition(": ")
    count_reason(counts.reasons, stage, reason, MAX_STORED_REASONS)
