"""Rows as Arrow tables: the types of their columns, and a Parquet file with one schema.

Does not decide when a file begins or ends.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quest22.sink.files import writing
from quest22.sink.formats.json_values import json_text
from quest22.sink.rows import OWN_COLUMNS
from quest22.system.atomic_files import publish_file

if TYPE_CHECKING:
    import pyarrow as pa


PARTS = ("segments", "dropped")
"""Our columns whose items may be of one channel."""


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
        if not {name for values in rows for name in values} <= set(self._schema.names):
            return None
        if _have_channels(rows) and not _names_channels(self._schema):
            return None
        try:
            return table_of(rows, self._schema)
        except _misfits():
            return None

    def write(self, table: pa.Table) -> None:
        with writing(self._path):
            self._writer.write_table(table)

    def close(self) -> None:
        with writing(self._path):
            self._writer.close()
            publish_file(self._partial, self._path)


def _have_channels(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether some rows are of recordings whose channels were transcribed each for itself."""
    return any(
        part.get("channel") is not None
        for row in rows
        for name in PARTS
        for part in row.get(name) or ()
    )


def _names_channels(schema: pa.Schema) -> bool:
    return any(field.name == "channel" for field in schema.field("segments").type.value_type)


def _own_types(*, channels: bool = False) -> dict[str, pa.DataType]:
    """``channels``: segments, their words and dropped spans have the field ``channel``."""
    import pyarrow as pa

    channel = [("channel", pa.int64())] if channels else []
    word = pa.struct(
        [
            ("start", pa.float64()),
            ("end", pa.float64()),
            ("word", pa.string()),
            ("probability", pa.float64()),
            *channel,
        ]
    )
    numbers = ("avg_logprob", "no_speech_prob", "compression_ratio", "temperature")
    segment = pa.struct(
        [
            ("start", pa.float64()),
            ("end", pa.float64()),
            ("text", pa.string()),
            *((name, pa.float64()) for name in numbers),
            *channel,
            ("language", pa.string()),
            ("language_probability", pa.float64()),
            ("words", pa.list_(word)),
        ]
    )
    span = [("start", pa.float64()), ("end", pa.float64()), ("reason", pa.string())]
    origin = [("dataset", pa.string()), ("revision", pa.string()), ("file", pa.string())]
    types = {name: pa.string() for name in ("id", "text", "reference", "language")}
    types |= {name: pa.float64() for name in ("language_probability", "duration")}
    return types | {
        "confidence": pa.struct([(name, pa.float64()) for name in numbers]),
        "segments": pa.list_(segment),
        "dropped": pa.list_(pa.struct([*span, ("text", pa.string()), *channel])),
        "damage": pa.list_(pa.struct(span)),
        "origin": pa.struct([*origin, ("row", pa.int64())]),
    }


def schema_of(rows: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """Our own columns in order, carried ones before ``origin``, with types inferred from values."""
    import pyarrow as pa

    own = _own_types(channels=_have_channels(rows))
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
            if column.name in PARTS and _have_channels(rows):
                columns[column.name] = column.type
            continue
        known = columns.get(column.name)
        values = [row.get(column.name) for row in rows]
        if known is None:
            columns[column.name] = column.type
        elif not _holds(known, values):
            common = _common_type(known, column.type)
            columns[column.name] = common if common != known else pa.string()
    return pa.schema([*columns.items(), last])


def schema_of_groups(
    groups: Callable[[], Iterable[Sequence[Mapping[str, Any]]]], schema: pa.Schema | None = None
) -> pa.Schema:
    """A schema that holds every row, and everything that ``schema`` holds.

    Widening one type can make earlier rows misfit, so it repeats until nothing changes.
    """
    schema = schema if schema is not None else schema_of([])
    previous = None
    while schema != previous:
        previous = schema
        for group in groups():
            schema = widened(schema, group)
    return schema


def joined_schema(schema: pa.Schema, other: pa.Schema) -> pa.Schema:
    """A schema that holds what both do; a column of two kinds is a string."""
    import pyarrow as pa

    *first, last = schema
    columns = {column.name: column.type for column in first}
    for column in other:
        if column.name != last.name:
            known = columns.get(column.name, column.type)
            columns[column.name] = _common_type(known, column.type)
    return pa.schema([*columns.items(), last])


def schema_to_text(schema: pa.Schema | None) -> str:
    """A schema as text for JSON; empty for none."""
    content = b"" if schema is None else schema.serialize().to_pybytes()
    return base64.b64encode(content).decode("ascii")


def schema_from_text(text: str) -> pa.Schema | None:
    """The schema that :func:`schema_to_text` wrote."""
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text))) if text else None


def _common_type(known: pa.DataType, new: pa.DataType) -> pa.DataType:
    """A type that both can be cast to, or string for values written as JSON."""
    import pyarrow as pa

    if _is_lossless(new, known):
        return known
    if _is_lossless(known, new):
        return new
    if pa.types.is_struct(known) and pa.types.is_struct(new):
        return _joined_struct(known, new)
    if pa.types.is_list(known) and pa.types.is_list(new):
        inner = known.value_type, new.value_type
        common = _common_type(*inner)
        if not any(map(pa.types.is_nested, inner)) or not pa.types.is_string(common):
            return pa.list_(common)
    return pa.string()


def _joined_struct(known: pa.StructType, new: pa.StructType) -> pa.DataType:
    """A struct with the fields of both; string if a field has no type that holds both."""
    import pyarrow as pa

    fields = {field.name: field.type for field in known}
    for field in new:
        former = fields.get(field.name, field.type)
        common = _common_type(former, field.type)
        if common not in (former, field.type):
            return pa.string()
        fields[field.name] = common
    return pa.struct(list(fields.items()))


def _holds(kind: pa.DataType, values: list[Any]) -> bool:
    try:
        _array(values, kind, "")
    except _misfits():
        return False
    return True


def _carried_type(values: list[Any]) -> pa.DataType:
    """The type of a column's values; string, for values written as JSON, if they have none."""
    import pyarrow as pa

    try:
        inferred = pa.infer_type(values)
        _array(values, inferred, "")
    except _misfits():
        return pa.string()
    return inferred if _is_writable(inferred) and not pa.types.is_null(inferred) else pa.string()


def _mixes_kinds(values: Iterable[Any]) -> bool:
    """Whether pyarrow would convert some values: text to bytes, local times to universal ones."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, list) for value in known):
        return bool(known) and _mixes_kinds(item for value in known for item in value)
    if all(isinstance(value, Mapping) for value in known):
        names = {name for value in known for name in value}
        return any(_mixes_kinds(value.get(name) for value in known) for name in names)
    kinds = {(type(value), getattr(value, "tzinfo", None) is None) for value in known}
    return len(kinds) > 1 and not {kind for kind, _ in kinds} <= {int, float}


def _is_writable(kind: pa.DataType) -> bool:
    """Whether Parquet has the type."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([("column", kind)])).close()
    except _misfits():
        return False
    return True


def _misfits() -> tuple[type[Exception], ...]:
    """What pyarrow raises for values that a type cannot hold."""
    import pyarrow as pa

    return (pa.ArrowException, OverflowError, TypeError, ValueError, RuntimeError)


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
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return pa.array([_as_texts(value) for value in values], kind)
    if _mixes_kinds(values):
        raise pa.ArrowInvalid(f"values of several kinds in a column of {kind}")
    inferred = pa.array(values)
    if not _is_lossless(inferred.type, kind):
        raise pa.ArrowInvalid(f"{inferred.type} values in a column of {kind}")
    return inferred if inferred.type == kind else pa.array(values, kind)


def _is_lossless(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether a conversion preserves every value, or raises if it cannot."""
    import pyarrow as pa

    if pa.types.is_null(source) or source == target:
        return True
    if pa.types.is_list(source) and pa.types.is_list(target):
        return _is_lossless(source.value_type, target.value_type)
    if pa.types.is_struct(source) and pa.types.is_struct(target):
        wider = {field.name: field.type for field in target}
        return all(
            field.name in wider and _is_lossless(field.type, wider[field.name]) for field in source
        )
    if pa.types.is_integer(source) and pa.types.is_floating(target):
        return True
    if pa.types.is_timestamp(source) and pa.types.is_timestamp(target):
        return (source.tz is None) == (target.tz is None)
    return bool(source.id == target.id)


def _as_text(value: Any) -> str | None:
    """A string column's value: strings unchanged, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json_text(value)


def _as_texts(value: Any) -> list[str | None] | None:
    """A value of a column of lists of text; raises TypeError for anything but a list."""
    if value is not None and not isinstance(value, list):
        raise TypeError("not a list")
    return value and [_as_text(item) for item in value]


def approx_bytes(value: Any) -> int:
    """Roughly how many bytes a value takes in memory."""
    if isinstance(value, Mapping):
        return sum(approx_bytes(item) for item in value.values()) + 64
    if isinstance(value, list | tuple):
        return sum(approx_bytes(item) for item in value) + 64
    return len(value) + 48 if isinstance(value, str | bytes) else 32
