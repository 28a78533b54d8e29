"""Rows on disk that wait to be published, cut into files by what they hold alone.

So the same rows make the same files, whenever they are published and however often a run dies.
Knows nothing of where they go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from quest22.protocols import SinkState
from quest22.sink.arrow_table import approx_bytes
from quest22.sink.files import writing
from quest22.sink.spool import Spool

FILE_ROWS = 10_000
FILE_BYTES = 64 << 20
"""A file is full with so many rows, or with so many bytes of them in memory, roughly."""


@dataclass(frozen=True, slots=True)
class RowFile:
    """One file's rows so far; ``bytes`` is what they take on disk."""

    index: int
    rows: int = 0
    weight: int = 0
    bytes: int = 0
    full: bool = False

    def after(self, values: Mapping[str, Any]) -> RowFile:
        """The file one row longer."""
        rows, weight = self.rows + 1, self.weight + approx_bytes(values)
        full = rows >= FILE_ROWS or weight >= FILE_BYTES
        return replace(self, rows=rows, weight=weight, full=full)


class RowFiles:
    """A file that grows, and full ones before it that are not yet released.

    Where none is ``kept``, the one that grows is the first that is not ``shipped``.
    """

    def __init__(self, folder: Path, kept: SinkState | None = None) -> None:
        self._folder = folder
        kept = kept or {}
        files = [RowFile(**each) for each in kept.get("files", [])]
        files = files or [RowFile(int(kept.get("shipped", 0)))]
        *self._full, self._open = files
        self._named = 0
        self._remove_others({file.index for file in files})
        self._spool = Spool(self._path(self._open.index), self._open.bytes)

    def append(self, values: Mapping[str, Any]) -> None:
        self._spool.append(values)
        self._open = self._open.after(values)
        if self._open.full:
            self._full.append(replace(self._open, bytes=self._spool.publish()))
            self._spool.close()
            self._open = RowFile(self._open.index + 1)
            self._spool = Spool(self._path(self._open.index))

    def publish(self, done: int) -> SinkState:
        """Make the rows durable; files before ``done`` are needed no longer.

        They are deleted by the next call, when what this one returned has been recorded.
        """
        for file in self._full:
            if file.index < self._named:
                self._remove(file.index)
        self._full = [file for file in self._full if file.index >= self._named]
        self._named = done
        return {"files": [asdict(file) for file in self.waiting(done)]}

    def waiting(self, done: int) -> list[RowFile]:
        """The files from ``done`` on, durable; the last one is not full."""
        self._open = replace(self._open, bytes=self._spool.publish())
        return [file for file in (*self._full, self._open) if file.index >= done]

    def count_full(self, done: int) -> int:
        """How many files from ``done`` on are full."""
        return sum(file.index >= done for file in self._full)

    def read(self, file: RowFile) -> Iterator[dict[str, Any]]:
        """A file's rows, one at a time; may run beside ``append`` in another thread."""
        return Spool.read(self._path(file.index), file.bytes)

    def close(self) -> None:
        """No more rows will come; they stay."""
        self._spool.close()

    def _path(self, index: int) -> Path:
        return self._folder / f"rows-{index:05d}.jsonl"

    def _remove(self, index: int) -> None:
        with writing(self._path(index)):
            self._path(index).unlink(missing_ok=True)

    def _remove_others(self, kept: set[int]) -> None:
        """What a run left behind that died before it could delete or record it."""
        for path in self._folder.glob("rows-*.jsonl"):
            if path.stem.removeprefix("rows-") not in {f"{index:05d}" for index in kept}:
                with writing(path):
                    path.unlink(missing_ok=True)
