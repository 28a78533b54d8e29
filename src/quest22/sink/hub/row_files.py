"""Rows on disk that wait to be published, divided into files.

The division depends on the rows alone, so the same rows make the same files whenever they are
published and however often a run is interrupted. Knows nothing of the Hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quest22.protocols import SinkState
from quest22.sink.files import writing
from quest22.sink.formats.arrow_table import approx_bytes
from quest22.sink.spool import Spool

FILE_ROWS = 10_000
FILE_BYTES = 64 << 20
"""A file is full with this many rows, or this many bytes of them in memory, approximately."""


@dataclass(frozen=True, slots=True)
class RowFile:
    """The size of one file so far; ``memory_bytes`` is approximate."""

    index: int
    rows: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0
    full: bool = False

    def with_row(self, values: Mapping[str, Any]) -> RowFile:
        """The file with one more row."""
        rows, memory_bytes = self.rows + 1, self.memory_bytes + approx_bytes(values)
        full = rows >= FILE_ROWS or memory_bytes >= FILE_BYTES
        return replace(self, rows=rows, memory_bytes=memory_bytes, full=full)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RowFile:
        """The file that :meth:`to_json` described."""
        return cls(
            stored["index"], stored["rows"], stored["weight"], stored["bytes"], stored["full"]
        )

    def to_json(self) -> dict[str, Any]:
        """The file as JSON values, under the names that journals have."""
        return {
            "index": self.index,
            "rows": self.rows,
            "weight": self.memory_bytes,
            "bytes": self.disk_bytes,
            "full": self.full,
        }


class RowFiles:
    """A growing file, and the full ones before it whose upload is not final.

    Rows continue in the files of ``state``; without any, in the first that is not uploaded.
    """

    def __init__(self, folder: Path, state: SinkState | None = None) -> None:
        self._folder = folder
        state = state or {}
        files = [RowFile.from_json(each) for each in state.get("files", [])]
        files = files or [RowFile(int(state.get("shipped", 0)))]
        *self._full, self._open = files
        self._uploaded = 0
        self._remove_others({file.index for file in files})
        self._spool = Spool(self._path(self._open.index), self._open.disk_bytes)

    def append(self, values: Mapping[str, Any]) -> None:
        self._spool.append(values)
        self._open = self._open.with_row(values)
        if self._open.full:
            self._full.append(replace(self._open, disk_bytes=int(self._spool.publish()["bytes"])))
            self._spool.close()
            self._open = RowFile(self._open.index + 1)
            self._spool = Spool(self._path(self._open.index))

    def publish(self, uploaded: int) -> SinkState:
        """Make the rows durable; the first ``uploaded`` files are no longer needed.

        The next call deletes them, once the caller has recorded the state that this one returns.
        """
        for file in self._full:
            if file.index < self._uploaded:
                self._remove(file.index)
        self._full = [file for file in self._full if file.index >= self._uploaded]
        self._uploaded = uploaded
        return {"files": [file.to_json() for file in self.pending(uploaded)]}

    def pending(self, uploaded: int) -> list[RowFile]:
        """All but the first ``uploaded`` files, made durable; the last one is not full."""
        self._open = replace(self._open, disk_bytes=int(self._spool.publish()["bytes"]))
        return [file for file in (*self._full, self._open) if file.index >= uploaded]

    def count_full(self, uploaded: int) -> int:
        """How many full files there are beyond the first ``uploaded``."""
        return sum(file.index >= uploaded for file in self._full)

    def read(self, file: RowFile) -> Iterator[dict[str, Any]]:
        """A file's rows, one at a time; may run in another thread than ``append``."""
        return Spool.read(self._path(file.index), file.disk_bytes)

    def close(self) -> None:
        """Close the growing file; the rows stay on disk."""
        self._spool.close()

    def _path(self, index: int) -> Path:
        return self._folder / f"rows-{index:05d}.jsonl"

    def _remove(self, index: int) -> None:
        with writing(self._path(index)):
            self._path(index).unlink(missing_ok=True)

    def _remove_others(self, indexes: set[int]) -> None:
        """Delete files that an interrupted run neither deleted nor recorded."""
        for path in self._folder.glob("rows-*.jsonl"):
            if path.stem.removeprefix("rows-") not in {f"{index:05d}" for index in indexes}:
                with writing(path):
                    path.unlink(missing_ok=True)
