"""Rows as Arrow tables: the types of their columns, and a Parquet file with one schema.

Does not decide when a file begins or ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quest22.sink.files import writing
from quest22.sink.formats.jsonl import json_text
from quest22.sink.rows import OWN_COLUMNS
from quest22.system.atomic_files import publish_file

if TYPE_CHECKING:
    import pyarrow as pa


class TableFile:
    """A Parquet file with one schema, renamed to its final name by ``close``."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._schema = schema
        with writing(path):
            self._writer = pq.ParquetWriter(self._partial, schema, compression="zstd")

    def fit(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table | None:
        """The rows as a table of this file's schema, or None if they do not fit it."""
        import pyarrow as pa

        if not {name for values in rows for name in values} <= set(self._schema.names):
            return None
        try:
            return table_of(rows, self._schema)
        except (pa.ArrowException, OverflowError):
            return None

    def write(self, table: pa.Table) -> None:
        with writing(self._path):
            self._writer.write_table(table)

    def close(self) -> None:
        with writing(self._path):
            self._writer.close()
            publish_file(self._partial, self._path)


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
            ("language", pa.string()),
            ("language_probability", pa.float64()),
            ("words", pa.list_(word)),
        ]
    )
    dropped = [("start", pa.float64()), ("end", pa.float64()), ("reason", pa.string())]
    origin = [("dataset", pa.string()), ("revision", pa.string()), ("file", pa.string())]
    types = {name: pa.string() for name in ("id", "text", "reference", "language")}
    types |= {name: pa.float64() for name in ("language_probability", "duration")}
    return types | {
        "confidence": pa.struct([(name, pa.float64()) for name in numbers]),
        "segments": pa.list_(segment),
        "dropped": pa.list_(pa.struct([*dropped, ("text", pa.string())])),
        "origin": pa.struct([*origin, ("row", pa.int64())]),
    }


def schema_of(rows: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """Our own columns in order, carried ones before ``origin``, with types inferred from values."""
    import pyarrow as pa

    own = _own_types()
    carried = list(dict.fromkeys(name for values in rows for name in values if name not in own))
    types = {name: _carried_type([values.get(name) for values in rows]) for name in carried}
    *first, last = OWN_COLUMNS
    return pa.schema([(name, (own | types)[name]) for name in (*first, *carried, last)])


def widened(schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """A schema that holds these rows and everything that ``schema`` holds.

    New columns come before ``origin``. Integers widen to floats, and a column with values of two
    kinds becomes string; ``datasets`` then reads earlier files' values as strings too.
    """
    import pyarrow as pa

    *first, last = schema
    columns = {column.name: column.type for column in first}
    for column in schema_of(rows):
        if column.name in OWN_COLUMNS:
            continue
        known = columns.get(column.name)
        values = [row.get(column.name) for row in rows]
        if known is None:
            columns[column.name] = column.type
        elif not _holds(known, values):
            columns[column.name] = _common_type(known, column.type)
    return pa.schema([*columns.items(), last])


def _common_type(known: pa.DataType, new: pa.DataType) -> pa.DataType:
    """A type that both can be cast to, or string for values written as JSON."""
    import pyarrow as pa

    if pa.types.is_integer(known) and pa.types.is_floating(new):
        return new
    if pa.types.is_list(known) and pa.types.is_list(new):
        inner = known.value_type, new.value_type
        if not any(pa.types.is_nested(each) for each in inner):
            return pa.list_(_common_type(*inner))
    return pa.string()


def _holds(kind: pa.DataType, values: list[Any]) -> bool:
    import pyarrow as pa

    try:
        _array(values, kind, "")
    except (pa.ArrowException, OverflowError):
        return False
    return True


def _carried_type(values: list[Any]) -> pa.DataType:
    import pyarrow as pa

    try:
        inferred = pa.infer_type(values)
        _array(values, inferred, "")
    except (pa.ArrowException, OverflowError):
        return pa.string()
    return pa.string() if pa.types.is_null(inferred) else inferred


def table_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows in a schema's types; raises pyarrow's errors if a carried value does not fit."""
    import pyarrow as pa

    arrays = [
        _array([values.get(column.name) for values in rows], column.type, column.name)
        for column in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: pa.DataType, name: str) -> pa.Array:
    """Values as a column; raises ArrowInvalid rather than convert a carried value with loss."""
    import pyarrow as pa

    if name in OWN_COLUMNS:
        return pa.array(values, kind)
    if pa.types.is_string(kind):
        return pa.array([_as_text(value) for value in values], kind)
    inferred = pa.array(values)
    if not _is_lossless(inferred.type, kind):
        raise pa.ArrowInvalid(f"{inferred.type} values in a column of {kind}")
    return inferred.cast(kind)


def _is_lossless(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether a cast preserves every value, or raises if it cannot."""
    import pyarrow as pa

    if pa.types.is_integer(source) and pa.types.is_floating(target):
        return True
    return bool(pa.types.is_null(source) or source.id == target.id)


def _as_text(value: Any) -> str | None:
    """A string column's value: strings unchanged, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json_text(value)


def approx_bytes(value: Any) -> int:
    """Roughly how many bytes a value takes in memory."""
    if isinstance(value, Mapping):
        return sum(approx_bytes(item) for item in value.values()) + 64
    if isinstance(value, list | tuple):
        return sum(approx_bytes(item) for item in value) + 64
    return len(value) + 48 if isinstance(value, str | bytes) else 32
