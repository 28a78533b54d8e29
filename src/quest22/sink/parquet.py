"""Transcripts as Parquet: the rows of JSONL with Arrow's types.

Carried columns keep theirs. A file is written
under a temporary name and takes its own when it is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quest22.records import Failure, Transcript
from quest22.sink.jsonl import json_text
from quest22.sink.output import make_folder, sync_file, sync_folder, writing
from quest22.sink.rows import OWN_COLUMNS, row
from quest22.sink.spool import Spool
from quest22.stages import SinkState

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 1000
GROUP_BYTES = 16 << 20


class ParquetSink:
    """Rows in one Parquet file.

    A Parquet file cannot be continued, so rows wait in a spool beside it, where they survive a
    crash, and become Parquet when all have come. Memory stays bounded by a row group. With
    ``keep_spool`` the spool outlives ``close``, for a run whose end is not yet recorded.
    """

    def __init__(
        self, path: Path, spool: Path, kept: SinkState | None = None, *, keep_spool: bool = False
    ) -> None:
        make_folder(path.parent)
        self._path = path
        self._spool = Spool(spool, int((kept or {}).get("bytes", 0)))
        self._keep_spool = keep_spool

    def write(self, result: Transcript | Failure) -> None:
        if isinstance(result, Transcript):
            self._spool.append(row(result))

    def publish(self) -> SinkState:
        return {"bytes": self._spool.publish()}

    def close(self) -> None:
        file = _ParquetFile(self._path)
        for values in self._spool.rows():
            file.write(values)
        file.close()
        if self._keep_spool:
            self._spool.close()
        else:
            self._spool.remove()


class _ParquetFile:
    """Rows to Parquet, a row group at a time.

    A carried column that has no value in the first row group is written as string; a later value
    that does not fit its column's type starts the next file (``transcripts-2.parquet``), so that
    nothing is lost and no type is bent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._part: _Part | None = None
        self._parts = 0

    def write(self, values: dict[str, Any]) -> None:
        self._rows.append(values)
        self._bytes += _weight(values)
        if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        if self._rows or self._part is None:
            self._write_group()
        if self._part is not None:
            self._part.close()

    def _write_group(self) -> None:
        rows, self._rows, self._bytes = self._rows, [], 0
        table = self._part.fit(rows) if self._part is not None else None
        if self._part is None or table is None:
            schema = _schema(rows)
            table = _table(rows, schema)
            self._part = self._next_part(schema)
        self._part.write(table)

    def _next_part(self, schema: pa.Schema) -> _Part:
        if self._part is not None:
            self._part.close()
        self._parts += 1
        suffix = "" if self._parts == 1 else f"-{self._parts}"
        return _Part(self._path.with_name(f"{self._path.stem}{suffix}.parquet"), schema)


class _Part:
    """One file of one schema."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._schema = schema
        with writing(path):
            self._writer = pq.ParquetWriter(self._partial, schema, compression="zstd")

    def fit(self, rows: list[dict[str, Any]]) -> pa.Table | None:
        """The rows as a table of this file's schema, or None where they do not fit it."""
        import pyarrow as pa

        if not {name for values in rows for name in values} <= set(self._schema.names):
            return None
        try:
            return _table(rows, self._schema)
        except (pa.ArrowException, OverflowError):
            return None

    def write(self, table: pa.Table) -> None:
        with writing(self._path):
            self._writer.write_table(table)

    def close(self) -> None:
        with writing(self._path):
            self._writer.close()
            sync_file(self._partial)
            self._partial.replace(self._path)
            sync_folder(self._path.parent)


def _own_types() -> dict[str, pa.DataType]:
    import pyarrow as pa

    word = pa.struct(
        [
            ("start", pa.float64()),
            ("end", pa.float64()),
            ("word", pa.string()),
            ("probability", pa.float64()),
        ]
    )
    numbers = ("avg_logprob", "no_speech_prob", "compression_ratio", "temperature")
    segment = pa.struct(
        [
            ("start", pa.float64()),
            ("end", pa.float64()),
            ("text", pa.string()),
            *((name, pa.float64()) for name in numbers),
            ("words", pa.list_(word)),
        ]
    )
    origin = [("dataset", pa.string()), ("revision", pa.string()), ("file", pa.string())]
    types = {name: pa.string() for name in ("id", "text", "reference", "language")}
    types |= {name: pa.float64() for name in ("language_probability", "duration")}
    return types | {
        "segments": pa.list_(segment),
        "origin": pa.struct([*origin, ("row", pa.int64())]),
    }


def _schema(rows: list[dict[str, Any]]) -> pa.Schema:
    """Our columns in their order, the carried ones before ``origin``, typed by their values."""
    import pyarrow as pa

    own = _own_types()
    carried = list(dict.fromkeys(name for values in rows for name in values if name not in own))
    types = {name: _carried_type([values.get(name) for values in rows]) for name in carried}
    *first, last = OWN_COLUMNS
    return pa.schema([(name, (own | types)[name]) for name in (*first, *carried, last)])


def _carried_type(values: list[Any]) -> pa.DataType:
    import pyarrow as pa

    try:
        inferred = pa.infer_type(values)
        _array(values, inferred, "")
    except (pa.ArrowException, OverflowError):
        return pa.string()
    return pa.string() if pa.types.is_null(inferred) else inferred


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    arrays = [
        _array([values.get(column.name) for values in rows], column.type, column.name)
        for column in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: pa.DataType, name: str) -> pa.Array:
    """Values as a column; raises ArrowInvalid rather than bend a carried value to its type."""
    import pyarrow as pa

    if name in OWN_COLUMNS:
        return pa.array(values, kind)
    if pa.types.is_string(kind):
        return pa.array([_as_text(value) for value in values], kind)
    found = pa.array(values)
    if not _fits(found.type, kind):
        raise pa.ArrowInvalid(f"{found.type} values in a column of {kind}")
    return found.cast(kind)


def _fits(found: pa.DataType, kind: pa.DataType) -> bool:
    """Whether a cast can keep every value, or fails where it cannot."""
    import pyarrow as pa

    if pa.types.is_integer(found) and pa.types.is_floating(kind):
        return True
    return bool(pa.types.is_null(found) or found.id == kind.id)


def _as_text(value: Any) -> str | None:
    """What stands in a string column: strings as they are, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json_text(value)


def _weight(value: Any) -> int:
    """Roughly the bytes that a value holds in memory."""
    if isinstance(value, Mapping):
        return sum(_weight(item) for item in value.values()) + 64
    if isinstance(value, list | tuple):
        return sum(_weight(item) for item in value) + 64
    return len(value) + 48 if isinstance(value, str | bytes) else 32
