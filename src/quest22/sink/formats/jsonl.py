"""JSON lines: one object for each transcript, and for each failure in a separate file.

Lines are UTF-8 without ASCII escapes, appended as results come. A file is never rewritten, so
complete lines stay valid whatever happens. Knows nothing of where the lines go.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.sink.file_state import FileState
from quest22.sink.files import AppendedFile, Output, writing
from quest22.sink.formats.json_columns import JsonColumns
from quest22.sink.formats.json_values import json_line
from quest22.sink.rows import OWN_COLUMNS, failure_row, row


class JsonLinesSink:
    """Writes a line for each transcript, with the values of :func:`quest22.sink.rows.row`.

    Carried columns have one kind of value each, see :mod:`quest22.sink.formats.json_columns`.
    """

    def __init__(self, output: Output, state: SinkState | None = None) -> None:
        self._output = output
        self._columns = JsonColumns((state or {}).get("columns"))

    def write(self, result: Transcript | Failure) -> None:
        if isinstance(result, Transcript):
            self.write_row(row(result))

    def write_row(self, values: Mapping[str, Any]) -> None:
        """Write the row of a transcript."""
        self._output.write(json_line(self._fitted(values)))

    def _fitted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A row whose carried columns fit those of the rows before."""
        carried = {name: each for name, each in values.items() if name not in OWN_COLUMNS}
        if not carried:
            return dict(values)
        *first, last = [name for name in values if name in OWN_COLUMNS]
        own = {name: values[name] for name in first}
        return {**own, **self._columns.fit(carried), last: values[last]}

    def publish(self) -> SinkState:
        columns = {"columns": self._columns.kinds} if self._columns.kinds else {}
        return {**self._output.publish(), **columns}

    def close(self) -> None:
        self._output.close()


class FailureSink:
    """Writes a line for each failure; the file exists only if there is one.

    Deletes an earlier file unless ``state`` says that some of its lines were published.
    """

    def __init__(
        self, path: Path, state: SinkState | None = None, notes: Path | None = None
    ) -> None:
        self._path = path
        self._notes = notes
        published = FileState.of(state)
        self._file = AppendedFile(path, published, notes) if published.size else None
        if not published.size:
            with writing(path):
                path.unlink(missing_ok=True)

    def write(self, result: Transcript | Failure) -> None:
        if isinstance(result, Transcript):
            return
        if self._file is None:
            self._file = AppendedFile(self._path, notes=self._notes)
        self._file.write(json_line(failure_row(result)))

    def publish(self) -> SinkState:
        return {"bytes": 0} if self._file is None else self._file.publish()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
