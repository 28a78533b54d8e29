"""The order of a run's results: a line each, transcript or failure, kept beside the journal.

Outputs hold transcripts and failures apart; the ledger says how they followed one another, which
rows have come out, and under which keys. Knows nothing of texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.sink.spool import Spool

LEDGER = "ledger.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """One result: its key, its row's place in the source, and whether it is a failure."""

    key: str
    file: str | None = None
    row: int | None = None
    failed: bool = False


class LedgerSink:
    """Appends an entry a result. A file's name is written where it differs from the line before."""

    def __init__(self, path: Path, kept: SinkState | None = None) -> None:
        self._spool = Spool(path, int((kept or {}).get("bytes", 0)))
        self._file: str | None = None

    def write(self, result: Transcript | Failure) -> None:
        origin = result.origin
        self.append(Entry(result.key, origin.file, origin.row, isinstance(result, Failure)))

    def append(self, entry: Entry) -> None:
        line: dict[str, Any] = {"key": entry.key, "row": entry.row}
        if entry.file != self._file:
            line["file"] = self._file = entry.file
        if entry.failed:
            line["failed"] = True
        self._spool.append(line)

    def publish(self) -> SinkState:
        return {"bytes": self._spool.publish()}

    def close(self) -> None:
        self._spool.close()


def entries(path: Path, kept: SinkState | None) -> Iterator[Entry]:
    """The entries of a ledger, in order, as far as ``kept`` says that they are published."""
    size = int((kept or {}).get("bytes", 0))
    if not size:
        return
    file: str | None = None
    for line in Spool.read(path, size):
        file = line.get("file", file)
        yield Entry(line["key"], file, line["row"], line.get("failed", False))
