"""Results that came later, put where they belong among those of a run, in the source's order.

Works on what sinks have published into two folders, and writes a third:
the outputs as they would be had the later results come at once. Changes neither of the two.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from quest22.errors import SinkError
from quest22.protocols import SinkState
from quest22.settings import RUN_FOLDER
from quest22.sink.build import FAILURES, NAMES, ROWS, TRANSCRIPTS
from quest22.sink.file_names import remembered
from quest22.sink.files import AppendedFile, writing
from quest22.sink.ledger import LEDGER, Entry, LedgerSink, entries
from quest22.sink.parquet import parquet_parts, read_parquet, write_parquet
from quest22.sink.spool import Spool
from quest22.system.durable_files import sync_file, sync_folder

Choice = tuple[bool, Entry]
"""A result of the merged run: whether it is a later one, and its entry."""


@dataclass(frozen=True, slots=True)
class Published:
    """A folder of results, as far as its sinks have published them, perhaps to the end."""

    folder: Path
    sinks: SinkState
    finished: bool

    def entries(self) -> Iterator[Entry]:
        """The results in order."""
        return entries(self.folder / RUN_FOLDER / LEDGER, self.sinks.get("ledger"))

    def lines(self, name: str, sink: str) -> Iterator[str]:
        """The published lines of a file."""
        left = int(self.sinks.get(sink, {}).get("bytes", 0))
        if not left:
            return
        path = self.folder / name
        with writing(path), path.open("rb") as file:
            for line in file:
                left -= len(line)
                if left < 0:
                    return
                yield line.decode("utf-8")

    def rows(self, *, from_spool: bool) -> Iterator[dict[str, Any]]:
        """The rows of Parquet, wherever they are."""
        if not from_spool:
            return read_parquet(self.folder / f"{TRANSCRIPTS}.parquet")
        size = int(self.sinks.get("parquet", {}).get("bytes", 0))
        return Spool.read(self.folder / RUN_FOLDER / ROWS, size) if size else iter(())


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge came to: the sinks' states, and names of outputs that are to go."""

    sinks: SinkState
    outdated: tuple[str, ...]
    transcripts: int
    failures: int
    last: Entry


class Merge:
    """Puts the results in ``later`` in the place of the failures of ``first``, into ``out``."""

    def __init__(self, first: Published, later: Published, out: Path) -> None:
        self._first = first
        self._later = later
        self._out = out

    def write(self) -> Merged:
        """Write the merged outputs; durable when this returns. Raises SinkError."""
        (self._out / RUN_FOLDER).mkdir(parents=True, exist_ok=True)
        writers = {
            "jsonl": self._transcripts,
            "parquet": self._parquet,
            "captions": self._captions,
            "failures": self._failures,
            "ledger": self._ledger,
        }
        sinks = {name: write() for name, write in writers.items() if name in self._first.sinks}
        for path in [path for path in self._out.rglob("*") if path.is_file()]:
            sync_file(path)
            sync_folder(path.parent)
        failures = 0
        for count, (_, entry) in enumerate(self._choices(), start=1):  # noqa: B007 -- used below
            failures += entry.failed
        return Merged(sinks, tuple(self._outdated(failures)), count - failures, failures, entry)

    def _choices(self) -> Iterator[Choice]:
        return chosen(self._first.entries(), self._later.entries())

    def _picked(self, first: Iterator[Any], later: Iterator[Any], *, failed: bool) -> Iterator[Any]:
        """Of two files' contents, those that stay, in the order of the merged results."""
        met = (entry for entry in self._first.entries() if entry.failed) if failed else iter(())
        for is_later, entry in self._choices():
            if entry.failed != failed:
                continue
            if is_later:
                yield _next(later)
                continue
            for old in met:  # failures that have been replaced are passed over
                if (old.key, old.file, old.row) == (entry.key, entry.file, entry.row):
                    break
                _next(first)
            yield _next(first)

    def _write_lines(self, name: str, lines: Iterator[str]) -> SinkState:
        file = AppendedFile(self._out / name)
        for line in lines:
            file.write(line)
        size = file.publish()
        file.close()
        return {"bytes": size}

    def _transcripts(self) -> SinkState:
        name = f"{TRANSCRIPTS}.jsonl"
        lines = (published.lines(name, "jsonl") for published in (self._first, self._later))
        return self._write_lines(name, self._picked(*lines, failed=False))

    def _failures(self) -> SinkState:
        lines = (published.lines(FAILURES, "failures") for published in (self._first, self._later))
        state = self._write_lines(FAILURES, self._picked(*lines, failed=True))
        if not state["bytes"]:
            (self._out / FAILURES).unlink()
        return state

    def _parquet(self) -> SinkState:
        first = self._first.rows(from_spool=not self._first.finished)
        later = self._later.rows(from_spool=True)
        rows = self._picked(first, later, failed=False)
        if self._first.finished:
            write_parquet(self._out / f"{TRANSCRIPTS}.parquet", rows)
            return {"bytes": 0}
        spool = Spool(self._out / RUN_FOLDER / ROWS)
        for values in rows:
            spool.append(values)
        size = spool.publish()
        spool.close()
        return {"bytes": size}

    def _captions(self) -> SinkState:
        """Later captions come over; the names of all are remembered."""
        own = (self._later.folder / RUN_FOLDER, self._later.folder / FAILURES)
        for path in [path for path in self._later.folder.rglob("*") if path.is_file()]:
            if own[0] in path.parents or path == own[1] or _is_table(path, self._later.folder):
                continue
            target = self._out / path.relative_to(self._later.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        remembered = (
            published.lines(f"{RUN_FOLDER}/{NAMES}", "captions")
            for published in (self._first, self._later)
        )
        return self._write_lines(f"{RUN_FOLDER}/{NAMES}", chain(*remembered))

    def _ledger(self) -> SinkState:
        ledger = LedgerSink(self._out / RUN_FOLDER / LEDGER)
        for _, entry in self._choices():
            ledger.append(entry)
        state = ledger.publish()
        ledger.close()
        return state

    def _outdated(self, failures: int) -> Iterator[str]:
        if not failures:
            yield FAILURES
        if self._first.finished and "parquet" in self._first.sinks:
            name = f"{TRANSCRIPTS}.parquet"
            made = {path.name for path in parquet_parts(self._out / name)}
            old = parquet_parts(self._first.folder / name)
            yield from (path.name for path in old if path.name not in made)


def chosen(first: Iterator[Entry], later: Iterator[Entry]) -> Iterator[Choice]:
    """Each result of ``first``, or the later ones that stand for it.

    One failure may have become several results: a file that could not be read at all.
    """
    waiting = next(later, None)
    for entry in first:
        replaced = False
        while entry.failed and waiting is not None and _stands_for(waiting, entry):
            replaced = True
            yield True, waiting
            waiting = next(later, None)
        if not replaced:
            yield False, entry
    if waiting is not None:
        raise SinkError(
            f"{waiting.key!r} was run again but is no failure of the run: begin the retry anew"
        )


def taken_names(published: Published) -> frozenset[str]:
    """The names that a run's clips have given to their caption files, without regard to case."""
    lines = published.lines(f"{RUN_FOLDER}/{NAMES}", "captions")
    return frozenset(remembered(lines))


def _stands_for(later: Entry, failed: Entry) -> bool:
    return later.file == failed.file and failed.row in (None, later.row)


def _is_table(path: Path, folder: Path) -> bool:
    return path.parent == folder and path.suffix in (".jsonl", ".parquet")


def _next(contents: Iterator[Any]) -> Any:
    """The next line or row; SinkError where someone has changed the outputs."""
    for each in contents:
        return each
    raise SinkError(
        "the outputs hold fewer results than the run's ledger: put them back as they were, or "
        "begin the run anew with --restart"
    )
