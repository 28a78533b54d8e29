"""Resumes a stream of rows: after a position, or with a selection of rows by their location.

A row's key depends on the keys before it. If those are known, reading starts at the first row that
is needed; if not, all rows are identified again so that keys are those of the first run, but audio
is loaded only for rows that are yielded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
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


def select_rows(
    rows: Iterable[Row],
    reader: RowReader,
    keys: Mapping[RowLocation, str],
    name: str,
    done_rows: Collection[RowLocation] = (),
) -> Iterator[IdentifiedRow]:
    """The rows whose location is in ``keys``; a location without a row number is a whole file.

    Leaves out ``done_rows``. Stops after the last selected row unless whole files are selected.
    Raises :class:`SourceError` if another row has a location of ``keys`` now.
    """
    whole_files = {file for file, row in keys if row is None}
    remaining = {
        location for location in keys if location[1] is not None and location not in done_rows
    }
    for row in rows if remaining or whole_files else ():
        origin = reader.origin(row)
        location = (origin.file, origin.row)
        if location in remaining:
            remaining.discard(location)
            key = reader.key_on_retry(row, keys[location])
            if key is None:
                raise SourceError(_replaced_message(name, keys[location], reader.identify(row)[0]))
            yield row, key, origin
        elif origin.file in whole_files and location not in done_rows:
            yield (row, *reader.identify(row))
        if not remaining and not whole_files:
            return


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
