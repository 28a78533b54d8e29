"""Rows on disk that wait to be written in their final format: JSON lines that preserve types.

Values that JSON lacks are stored as ``{"$type": text}``. Knows nothing of what the rows mean.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from quest22.errors import SinkError
from quest22.protocols import SinkState
from quest22.sink.file_state import FileState
from quest22.sink.files import AppendedFile, read_lines, writing

_TAGGED_TYPES: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "$bytes": (bytes, lambda v: base64.b64encode(v).decode("ascii"), base64.b64decode),
    "$datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "$date": (date, date.isoformat, date.fromisoformat),
    "$time": (time, time.isoformat, time.fromisoformat),
    "$duration": (
        timedelta,
        lambda v: [v.days, v.seconds, v.microseconds],
        lambda parts: timedelta(*parts),
    ),
    "$decimal": (Decimal, str, Decimal),
}
_MAPPING = "$mapping"


class Spool:
    """A growing file of rows that survives its process and is read back in order.

    One that need not is not ``durable``, and faster.
    """

    def __init__(self, path: Path, published: FileState | int = 0, *, durable: bool = True) -> None:
        self._path = path
        self._file = AppendedFile(path, published, durable=durable)

    def append(self, values: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(_to_json(dict(values)), ensure_ascii=False) + "\n")

    def publish(self) -> SinkState:
        """Make the rows durable; return the file's state."""
        return self._file.publish()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row so far, one at a time; mappings keep the order of their keys."""
        yield from self.read(self._path, int(self._file.publish()["bytes"]))

    @staticmethod
    def read(path: Path, size: int) -> Iterator[dict[str, Any]]:
        """The rows in the first ``size`` bytes of a spool, one at a time; changes no file."""
        number = 0
        try:
            for number, line in enumerate(read_lines(path, size), start=1):  # noqa: B007 -- told
                yield _from_json(json.loads(line))
        except (ValueError, TypeError, KeyError) as exc:
            raise SinkError(
                f"{path} is damaged in line {number} ({exc}): put it back as it was, or start over "
                "with --restart"
            ) from exc

    def close(self) -> None:
        """Close the file; the rows stay on disk."""
        self._file.close()

    def remove(self) -> None:
        """Delete the file, once its rows are written elsewhere."""
        self.close()
        with writing(self._path):
            self._path.unlink(missing_ok=True)


def read_row(line: str | bytes) -> dict[str, Any]:
    """The row in a line of a spool; raises ValueError, TypeError or KeyError for a damaged one."""
    row = _from_json(json.loads(line))
    if not isinstance(row, dict):
        raise ValueError("not a row")
    return row


def _to_json(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        plain = {str(name): _to_json(item) for name, item in value.items()}
        return {_MAPPING: plain} if _looks_tagged(plain) else plain
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy arrays and numbers
        return _to_json(value.tolist())
    for tag, (kind, to_json, _) in _TAGGED_TYPES.items():
        if isinstance(value, kind):
            return {tag: to_json(value)}
    return str(value)


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _looks_tagged(value):
        ((tag, stored),) = value.items()
        if tag == _MAPPING:
            return {name: _from_json(item) for name, item in stored.items()}
        return _TAGGED_TYPES[tag][2](stored)
    return {name: _from_json(item) for name, item in value.items()}


def _looks_tagged(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in (*_TAGGED_TYPES, _MAPPING)
