"""The file of one unit: a row for each row of the source, in its order.

A row that could not be transcribed has ``error`` (stage and reason) in place of a text, so that a
unit is one object, which is published at once. A source's own column of that name becomes
``source_error``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from quest22.cluster.ledger import Counts
from quest22.records import Failure, Transcript
from quest22.sink.files import AppendedFile
from quest22.sink.formats.arrow_table import TableFile, schema_of, schema_of_groups, table_of
from quest22.sink.formats.jsonl import JsonLinesSink
from quest22.sink.formats.parquet import row_groups
from quest22.sink.rows import failure_row, row
from quest22.sink.spool import Spool

ERROR = "error"


class UnitFile:
    """Collects a unit's rows in a scratch folder, and writes its file at the end.

    ``has_open_end``: the last result stands for rows that could not be read.
    """

    def __init__(self, folder: Path, unit_format: str) -> None:
        self.path = folder / f"unit.{unit_format}"
        self._format = unit_format
        self._spool = Spool(folder / "rows.jsonl", durable=False)
        self._tally = _Tally()
        self.has_open_end = False
        self.rows = 0

    def add(self, result: Transcript | Failure) -> None:
        """Add a result; raises :class:`quest22.errors.SinkError`."""
        self.has_open_end = isinstance(result, Failure) and result.open_end
        self.add_row(unit_row(result))

    def add_row(self, values: Mapping[str, Any]) -> None:
        """Add a row, such as one of an earlier file of the unit."""
        self.rows += 1
        self._tally.add(values)
        self._spool.append(values)

    def write(self) -> Counts:
        """Write the file; what its rows are."""
        if self._format == "parquet":
            self._write_parquet()
        else:
            self._write_lines()
        return self._tally.counts

    def close(self) -> None:
        """Close what is open; the files stay."""
        self._spool.close()

    def _write_lines(self) -> None:
        lines = JsonLinesSink(AppendedFile(self.path, durable=False))
        for values in self._spool.rows():
            lines.write_row({name: each for name, each in values.items() if _is_told(name, each)})
        lines.close()

    def _write_parquet(self) -> None:
        schema = schema_of_groups(
            lambda: row_groups(self._spool.rows()), schema_of([{ERROR: None}])
        )
        file = TableFile(self.path, schema)
        for group in row_groups(self._spool.rows()):
            file.write(table_of(group, schema))
        file.close()


def unit_row(result: Transcript | Failure) -> dict[str, Any]:
    """A result as a row; ``error`` is None for a transcript."""
    if isinstance(result, Failure):
        failed = failure_row(result)
        reason = f"{failed['stage']}: {failed['reason']}"
        return {"id": failed["id"], ERROR: reason, "origin": failed["origin"]}
    values = row(result)
    origin = values.pop("origin")
    if ERROR in values:
        values = {_renamed(name, values): each for name, each in values.items()}
    return {**values, ERROR: None, "origin": origin}


def _renamed(name: str, taken: Mapping[str, Any]) -> str:
    if name != ERROR:
        return name
    free = f"source_{ERROR}"
    while free in taken:
        free += "_"
    return free


def _is_told(name: str, value: Any) -> bool:
    return name != ERROR or value is not None


class _Tally:
    """Counts rows as they are written, so that whoever reads the file counts the same."""

    def __init__(self) -> None:
        self._transcripts = self._failures = 0
        self._milliseconds = 0

    def add(self, values: Mapping[str, Any]) -> None:
        if values.get(ERROR) is not None:
            self._failures += 1
            return
        self._transcripts += 1
        self._milliseconds += round(1000 * (values.get("duration") or 0))

    @property
    def counts(self) -> Counts:
        return Counts(self._transcripts, self._failures, self._milliseconds / 1000)


def count_rows(content: bytes, unit_format: str) -> Counts:
    """What the rows of a unit's file are."""
    tally = _Tally()
    for values in read_rows(content, unit_format, (ERROR, "duration")):
        tally.add(values)
    return tally.counts


def read_rows(
    content: bytes, unit_format: str, columns: Iterable[str] | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of a unit's file; of Parquet only some columns, if they are named."""
    if unit_format == "parquet":
        import pyarrow.parquet as pq

        named = None if columns is None else list(columns)
        yield from pq.read_table(io.BytesIO(content), columns=named).to_pylist()
        return
    for line in content.splitlines():
        yield json.loads(line)
