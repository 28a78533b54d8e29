"""Resumes a stream of rows: after a position, or with a selection of rows by their location.

A row's key depends on the keys before it. If those are known, reading starts at the first row that
is needed; if not, all rows are identified again so that keys are those of the first run, but audio
is loaded only for rows that are yielded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from quest22.errors import SourceError
from quest22.records import Origin, Position, RowLocation
from quest22.source.rows import Row, RowReader

IdentifiedRow: TypeAlias = tuple[Row, str, Origin]


def identify_rows(rows: Iterable[Row], reader: RowReader) -> Iterator[IdentifiedRow]:
    """Each row with its key and origin."""
    for row in rows:
        yield (row, *reader.identify(row))


def skip_to_position(
    rows: Iterator[IdentifiedRow], after: Position, name: str
) -> Iterator[IdentifiedRow]:
    """The rows after the last one that an earlier run has read.

    Raises :class:`SourceError` if that row is no longer at its position.
    """
    last: IdentifiedRow | None = None
    for count in range(after.results):
        last = next(rows, None)
        if last is None:
            raise SourceError(_changed_message(name, after, f"it now has {count:,} rows"))
    if last is not None and last[1:] != (after.key, after.origin):
        raise SourceError(_changed_message(name, after, f"found {last[1]!r}"))
    yield from rows


def continue_after_first(
    rows: Iterator[Row], reader: RowReader, after: Position, name: str
) -> Iterator[Row]:
    """The rows after the first, which must be the last one that an earlier run has read.

    Raises :class:`SourceError` if it is not.
    """
    first = next(rows, None)
    if first is None:
        raise SourceError(_changed_message(name, after, "there is no row"))
    if first.open_end and reader.origin(first).file == after.origin.file:  # it cannot be read again
        yield _open_end_at(first, (after.origin.row or 0) + 1)
        yield from rows
        return
    if reader.origin(first) != after.origin or not reader.may_have_key(first, after.key):
        current = reader.identify(first)[0]
        raise SourceError(_changed_message(name, after, f"found {current!r}"))
    yield from rows


def check_position(
    rows: Iterable[Row], reader: RowReader, after: Position, name: str
) -> Iterator[Row]:
    """The same rows, which must include the last one that an earlier run has read.

    Raises :class:`SourceError` if another row has its location, or none has.
    """
    expected = True
    for row in rows:
        origin = reader.origin(row)
        if expected and row.open_end and origin.file == after.origin.file:
            expected = False
            yield _open_end_at(row, (after.origin.row or 0) + 1)
            continue
        if expected and origin == after.origin:
            expected = False
            if not reader.may_have_key(row, after.key):
                raise SourceError(
                    _changed_message(name, after, f"found {reader.identify(row)[0]!r}")
                )
        elif expected and origin.file == after.origin.file and _is_past(origin, after.origin):
            break
        yield row
    if expected:
        raise SourceError(_changed_message(name, after, "it is no longer there"))


def _is_past(origin: Origin, last: Origin) -> bool:
    return last.row is not None and (origin.row is None or origin.row > last.row)


@dataclass(frozen=True, slots=True)
class MissingRows:
    """The rows of a data file from ``first`` on, which an earlier run could not read.

    ``key_before`` is the key of the row before them, if that was read: a file that was mended since
    still has it.
    """

    first: int = 0
    key_before: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows to read again: with the keys under which they failed, in the order of the run.

    ``missing`` describes those among them that stand for the rest of a data file. ``done_rows``
    were read again already.
    """

    keys: Mapping[RowLocation, str] = field(default_factory=dict)
    missing: Mapping[str | None, MissingRows] = field(default_factory=dict)
    done_rows: Collection[RowLocation] = ()

    def starts(self, files: Sequence[str | None]) -> dict[int, int]:
        """The data files to read, each with its first row."""
        first: dict[int, int] = {}
        for file, row in self.keys:
            if file in files and row is not None and (file, row) not in self.done_rows:
                part = files.index(file)
                first[part] = min(first.get(part, row), row)
        for file, missing in self.missing.items():
            part, start = files.index(file), max(missing.first - 1, 0)
            first[part] = min(first.get(part, start), start)
        return dict(sorted(first.items()))

    def only(self, files: Sequence[str | None]) -> dict[int, set[int]]:
        """The rows to read of data files of which single ones are selected."""
        rows: dict[int, set[int]] = {}
        for file, row in self.keys:
            if file in files and row is not None and file not in self.missing:
                rows.setdefault(files.index(file), set()).add(row)
        return rows

    def in_turn(self) -> Iterator[Selection]:
        """A selection for each location, for a run whose order is not that of its files."""
        for (file, row), key in self.keys.items():
            missing = self.missing.get(file)
            opens = missing is not None and missing.first == (row or 0)
            yield replace(
                self, keys={(file, row): key}, missing={file: missing} if missing and opens else {}
            )

    def next_row(self, file: str | None, reached: int | None) -> int:
        """The first row that is still missing of a file that could be read up to ``reached``."""
        done = (row for each, row in self.done_rows if each == file and row is not None)
        return max(self.missing[file].first, reached or 0, max(done, default=-1) + 1)


def select_rows(
    rows: Iterable[Row], reader: RowReader, selection: Selection, name: str
) -> Iterator[IdentifiedRow]:
    """The selected rows, without those that are done.

    Stops after the last one unless a file's missing rows are selected. A row that cannot be reached
    is left out. Raises :class:`SourceError` if another row has a selected row's location now.
    """
    keys, done_rows = selection.keys, selection.done_rows
    remaining = {location for location in keys if location not in done_rows}
    for row in rows if remaining or selection.missing else ():
        origin = reader.origin(row)
        location = (origin.file, origin.row)
        missing = selection.missing.get(origin.file)
        if row.open_end:
            if missing is not None:
                end = _open_end_at(row, selection.next_row(origin.file, row.number))
                origin = reader.origin(end)
                yield end, keys.get((origin.file, origin.row)) or reader.identify(end)[0], origin
        elif location in remaining:
            remaining.discard(location)
            yield row, _checked_key(row, reader, keys[location], name), origin
        elif missing is not None and row.number is not None:
            if row.number == missing.first - 1 and missing.key_before is not None:
                _checked_key(row, reader, missing.key_before, name)
            if row.number >= missing.first and location not in done_rows:
                yield (row, *reader.identify(row))
        if not remaining and not selection.missing:
            return


def _open_end_at(row: Row, number: int) -> Row:
    return replace(row, number=number or None)


def _checked_key(row: Row, reader: RowReader, key: str, name: str) -> str:
    """The key of a row that had ``key`` in an earlier run."""
    found = reader.key_on_retry(row, key)
    if found is None:
        raise SourceError(_replaced_message(name, key, reader.identify(row)[0]))
    return found


def _replaced_message(name: str, key: str, current: str) -> str:
    return (
        f"{name} has changed since the run started: expected {key!r}, found {current!r}; start "
        "over with --restart, or pin the --revision"
    )


def _changed_message(name: str, after: Position, current: str) -> str:
    return (
        f"{name} has changed since the run started: expected {after.key!r} as number "
        f"{after.results:,}, but {current}; start over with --restart, or pin the --revision"
    )
