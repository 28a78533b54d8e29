"""JSON lines: one object for each transcript, and for each failure in a separate file.

Lines are UTF-8 without ASCII escapes, appended as results come. A file is never rewritten, so
complete lines stay valid whatever happens. Knows nothing of where the lines go.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.sink.files import AppendedFile, Output, writing
from quest22.sink.rows import failure_row, row


class JsonLinesSink:
    """Writes a line for each transcript, with the values of :func:`quest22.sink.rows.row`."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, result: Transcript | Failure) -> None:
        if isinstance(result, Transcript):
            self._output.write(json_line(row(result)))

    def publish(self) -> SinkState:
        return {"bytes": self._output.publish()}

    def close(self) -> None:
        self._output.close()


class FailureSink:
    """Writes a line for each failure; the file exists only if there is one.

    Deletes an earlier file unless ``state`` says that some of its lines were published.
    """

    def __init__(self, path: Path, state: SinkState | None = None) -> None:
        self._path = path
        published = int((state or {}).get("bytes", 0))
        self._file = AppendedFile(path, published) if published else None
        if not published:
            with writing(path):
                path.unlink(missing_ok=True)

    def write(self, result: Transcript | Failure) -> None:
        if isinstance(result, Transcript):
            return
        if self._file is None:
            self._file = AppendedFile(self._path)
        self._file.write(json_line(failure_row(result)))

    def publish(self) -> SinkState:
        return {"bytes": 0 if self._file is None else self._file.publish()}

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def json_line(values: Mapping[str, Any]) -> str:
    """A line of JSON, newline included."""
    return json_text(values) + "\n"


def json_text(value: Any) -> str:
    """Strict JSON without ASCII escapes; :func:`json_value` converts types that JSON lacks."""
    return json.dumps(json_value(value), ensure_ascii=False, allow_nan=False)


def json_value(value: Any) -> Any:
    """The nearest value that JSON can hold.

    Times become ISO 8601, bytes base64, arrays lists, NaN and infinity null; anything else becomes
    its ``str``.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(item) for item in value]
    return _json_scalar(value)


def _json_scalar(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if hasattr(value, "tolist"):  # NumPy arrays and numbers
        return json_value(value.tolist())
    return str(value)
