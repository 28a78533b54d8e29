"""Rows kept on disk until they can be written for good: JSON lines that lose no type.

Values that JSON lacks are kept as ``{"$type": text}``. Knows nothing of what the rows mean.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from quest22.sink.files import AppendedFile, writing

_KEPT: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
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
    """A file of rows that grows, survives its process, and is read back in order."""

    def __init__(self, path: Path, kept_bytes: int = 0) -> None:
        self._path = path
        self._file = AppendedFile(path, kept_bytes)

    def append(self, values: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(_kept(dict(values)), ensure_ascii=False) + "\n")

    def publish(self) -> int:
        """Make the rows durable; the bytes that they take."""
        return self._file.publish()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row so far, one at a time; mappings keep the order of their keys."""
        yield from self.read(self._path, self._file.publish())

    @staticmethod
    def read(path: Path, size: int) -> Iterator[dict[str, Any]]:
        """The rows in the first ``size`` bytes of a spool, one at a time, nothing changed."""
        with writing(path), path.open("rb") as lines:
            for line in lines:
                size -= len(line)
                if size < 0:
                    return
                yield _restored(json.loads(line))

    def close(self) -> None:
        """No more rows will come; they stay."""
        self._file.close()

    def remove(self) -> None:
        """The rows are written elsewhere: delete the file."""
        self.close()
        with writing(self._path):
            self._path.unlink(missing_ok=True)


def _kept(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        plain = {str(name): _kept(item) for name, item in value.items()}
        return {_MAPPING: plain} if _looks_tagged(plain) else plain
    if isinstance(value, list | tuple):
        return [_kept(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy arrays and numbers
        return _kept(value.tolist())
    for tag, (kind, to_json, _) in _KEPT.items():
        if isinstance(value, kind):
            return {tag: to_json(value)}
    return str(value)


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _looks_tagged(value):
        ((tag, kept),) = value.items()
        if tag == _MAPPING:
            return {name: _restored(item) for name, item in kept.items()}
        return _KEPT[tag][2](kept)
    return {name: _restored(item) for name, item in value.items()}


def _looks_tagged(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in (*_KEPT, _MAPPING)
