"""Merges the results of a retry into those of its run, in the source's order.

Reads what sinks published into two folders and writes a third: the outputs as they would be had
the retried clips succeeded at once. Changes neither input folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from quest22.errors import SinkError
from quest22.protocols import SinkState
from quest22.settings import RUN_FOLDER
from quest22.sink.build import FAILURES, NAMES, ROWS, TRANSCRIPTS
from quest22.sink.file_names import read_stems
from quest22.sink.files import AppendedFile, read_lines
from quest22.sink.formats.parquet import parquet_parts, read_parquet, write_parquet
from quest22.sink.ledger import LEDGER, Entry, LedgerSink, entries
from quest22.sink.spool import Spool
from quest22.system.atomic_files import sync_file, sync_folder

MergedEntry = tuple[bool, Entry]
"""A result of the merged run: whether the retry produced it, and its ledger entry."""


@dataclass(frozen=True, slots=True)
class Published:
    """A folder of results with what its sinks have published; ``finished`` if that is all."""

    folder: Path
    sinks: SinkState
    finished: bool

    def entries(self) -> Iterator[Entry]:
        """The ledger entries of the results, in order."""
        return entries(self.folder / RUN_FOLDER / LEDGER, self.sinks.get("ledger"))

    def lines(self, name: str, sink: str) -> Iterator[str]:
        """The published lines of a file that ``sink`` writes."""
        size = int(self.sinks.get(sink, {}).get("bytes", 0))
        if size:
            yield from (line.decode("utf-8") for line in read_lines(self.folder / name, size))

    def rows(self, *, from_spool: bool) -> Iterator[dict[str, Any]]:
        """The rows for Parquet, from the spool or from the finished file."""
        if not from_spool:
            return read_parquet(self.folder / f"{TRANSCRIPTS}.parquet")
        size = int(self.sinks.get("parquet", {}).get("bytes", 0))
        return Spool.read(self.folder / RUN_FOLDER / ROWS, size) if size else iter(())

    def spooled(self, path: Path) -> SinkState:
        """Write the rows of a finished Parquet file to a spool; the state of a sink that has it."""
        return _spooled(path, self.rows(from_spool=False))


def _spooled(path: Path, rows: Iterable[dict[str, Any]]) -> SinkState:
    spool = Spool(path)
    for values in rows:
        spool.append(values)
    state = spool.publish()
    spool.close()
    return state


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of a merge: the sinks' states, and the names of outputs to delete."""

    sinks: SinkState
    outdated: tuple[str, ...]
    transcripts: int
    failures: int
    open_ends: int
    last: Entry | None


class Merge:
    """Replaces failures of ``run`` by the results of ``retry``; writes to the folder ``out``."""

    def __init__(self, run: Published, retry: Published, out: Path) -> None:
        self._run = run
        self._retry = retry
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
        sinks = {name: write() for name, write in writers.items() if name in self._run.sinks}
        for path in [path for path in self._out.rglob("*") if path.is_file()]:
            sync_file(path)
            sync_folder(path.parent)
        last: Entry | None = None
        count = failed = open_ends = 0
        for _, entry in self._merged_entries():
            last = entry
            count, failed, open_ends = count + 1, failed + entry.failed, open_ends + entry.open_end
        outdated = tuple(self._outdated(failed))
        return Merged(sinks, outdated, count - failed, failed - open_ends, open_ends, last)

    def _merged_entries(self) -> Iterator[MergedEntry]:
        return merge_entries(self._run.entries(), self._retry.entries())

    def _interleave(
        self, of_run: Iterator[Any], of_retry: Iterator[Any], *, failed: bool
    ) -> Iterator[Any]:
        """The lines or rows of two files that stay, in the order of the merged results."""
        failures = (entry for entry in self._run.entries() if entry.failed) if failed else iter(())
        for is_retried, entry in self._merged_entries():
            if entry.failed != failed:
                continue
            if is_retried:
                yield _next(of_retry)
                continue
            for old in failures:  # skip those that the retry has replaced
                if (old.key, old.file, old.row) == (entry.key, entry.file, entry.row):
                    break
                _next(of_run)
            yield _next(of_run)

    def _write_lines(self, name: str, lines: Iterator[str]) -> SinkState:
        file = AppendedFile(self._out / name)
        for line in lines:
            file.write(line)
        state = file.publish()
        file.close()
        return state

    def _transcripts(self) -> SinkState:
        name = f"{TRANSCRIPTS}.jsonl"
        lines = (published.lines(name, "jsonl") for published in (self._run, self._retry))
        state = self._write_lines(name, self._interleave(*lines, failed=False))
        return {**self._retry.sinks.get("jsonl", {}), **state}

    def _failures(self) -> SinkState:
        lines = (published.lines(FAILURES, "failures") for published in (self._run, self._retry))
        state = self._write_lines(FAILURES, self._interleave(*lines, failed=True))
        if not state["bytes"]:
            (self._out / FAILURES).unlink()
        return state

    def _parquet(self) -> SinkState:
        of_run = self._run.rows(from_spool=not self._run.finished)
        of_retry = self._retry.rows(from_spool=True)
        rows = self._interleave(of_run, of_retry, failed=False)
        if self._run.finished:
            write_parquet(self._out / f"{TRANSCRIPTS}.parquet", rows)
            return {"bytes": 0}
        return _spooled(self._out / RUN_FOLDER / ROWS, rows)

    def _captions(self) -> SinkState:
        """Copy the retry's captions and join the names of both."""
        source = self._retry.folder
        for path in [path for path in source.rglob("*") if path.is_file()]:
            if source / RUN_FOLDER in path.parents or _is_table(path, source):
                continue
            target = self._out / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        names = (
            published.lines(f"{RUN_FOLDER}/{NAMES}", "captions")
            for published in (self._run, self._retry)
        )
        return self._write_lines(f"{RUN_FOLDER}/{NAMES}", chain(*names))

    def _ledger(self) -> SinkState:
        ledger = LedgerSink(self._out / RUN_FOLDER / LEDGER)
        for _, entry in self._merged_entries():
            ledger.append(entry)
        state = ledger.publish()
        ledger.close()
        return state

    def _outdated(self, failures: int) -> Iterator[str]:
        if not failures:
            yield FAILURES
        if self._run.finished and "parquet" in self._run.sinks:
            name = f"{TRANSCRIPTS}.parquet"
            new = {path.name for path in parquet_parts(self._out / name)}
            old = parquet_parts(self._run.folder / name)
            yield from (path.name for path in old if path.name not in new)


def merge_entries(of_run: Iterator[Entry], of_retry: Iterator[Entry]) -> Iterator[MergedEntry]:
    """Each result of a run, or the results of its retry that replace it.

    An open end becomes what the retry could read of the rest, perhaps nothing, perhaps with another
    open end. Raises SinkError if the retry holds a result that replaces no failure.
    """
    retried = next(of_retry, None)
    for entry in of_run:
        replaced = entry.open_end
        while entry.failed and retried is not None and _replaces(retried, entry):
            replaced = True
            yield True, retried
            retried = next(of_retry, None)
        if not replaced:
            yield False, entry
    if retried is not None:
        raise SinkError(
            f"{retried.key!r} was retried but did not fail in the run: start the retry over"
        )


def used_stems(published: Published) -> frozenset[str]:
    """The folded stems of a run's caption files."""
    lines = published.lines(f"{RUN_FOLDER}/{NAMES}", "captions")
    return frozenset(read_stems(lines))


def _replaces(retried: Entry, failed: Entry) -> bool:
    if retried.file != failed.file:
        return False
    if failed.open_end:
        return retried.row is None or retried.row >= (failed.row or 0)
    return failed.row in (None, retried.row)


def _is_table(path: Path, folder: Path) -> bool:
    """Whether a file holds rows or failures of all clips, not one clip's captions."""
    return path.parent == folder and path.suffix in (".jsonl", ".parquet")


def _next(contents: Iterator[Any]) -> Any:
    """The next line or row; SinkError if the outputs were changed after they were written."""
    for each in contents:
        return each
    raise SinkError(
        "the outputs hold fewer results than the run's ledger: restore them, or start the run "
        "over with --restart"
    )
