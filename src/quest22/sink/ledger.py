"""The order of a run's results: one line for each transcript or failure, stored with the journal.

Outputs hold transcripts and failures apart; the ledger records their common order, which rows are
done, and under which keys. Knows nothing of texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.sink.file_state import FileState
from quest22.sink.spool import Spool

LEDGER = "ledger.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One result: its key, its row in the source, and whether it is a failure.

    ``open_end``: it stands for all rows of its file from its own on, which could not be read.
    """

    key: str
    file: str | None = None
    row: int | None = None
    failed: bool = False
    open_end: bool = False

    @classmethod
    def of(cls, result: Transcript | Failure) -> Entry:
        origin = result.origin
        open_end = isinstance(result, Failure) and result.open_end
        return cls(result.key, origin.file, origin.row, isinstance(result, Failure), open_end)


class LedgerSink:
    """Appends one entry for each result.

    A line names the file only where it differs from that of the line before.
    """

    def __init__(self, path: Path, state: SinkState | None = None) -> None:
        self._spool = Spool(path, FileState.of(state))
        self._file: str | None = None

    def write(self, result: Transcript | Failure) -> None:
        self.append(Entry.of(result))

    def append(self, entry: Entry) -> None:
        line: dict[str, Any] = {"key": entry.key, "row": entry.row}
        if entry.file != self._file:
            line["file"] = self._file = entry.file
        if entry.failed:
            line["failed"] = True
        if entry.open_end:
            line["open_end"] = True
        self._spool.append(line)

    def publish(self) -> SinkState:
        return self._spool.publish()

    def close(self) -> None:
        self._spool.close()


def entries(path: Path, state: SinkState | None) -> Iterator[Entry]:
    """The published entries of a ledger, in order; ``state`` is what its sink published."""
    size = int((state or {}).get("bytes", 0))
    if not size:
        return
    file: str | None = None
    for line in Spool.read(path, size):
        file = line.get("file", file)
        failed, open_end = (line.get(name, False) for name in ("failed", "open_end"))
        yield Entry(line["key"], file, line["row"], failed, open_end)
