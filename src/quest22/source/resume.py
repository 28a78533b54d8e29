"""Which rows of a stream are still to be done: those behind a position, or a few by their place.

Keys depend on the keys before them. Where those are told, reading begins where it is needed; else
every row passes by, so that keys come out as in the first run, and no sound is touched before a
row is chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeAlias

from quest22.errors import SourceError
from quest22.records import Origin, Position, RowLocation
from quest22.source.rows import Row, RowReader

NamedRow: TypeAlias = tuple[Row, str, Origin]


def named(rows: Iterable[Row], reader: RowReader) -> Iterator[NamedRow]:
    """Each row with its key and origin."""
    for row in rows:
        yield (row, *reader.name(row))


def behind(rows: Iterator[NamedRow], after: Position, name: str) -> Iterator[NamedRow]:
    """The rows after the one that an earlier run has reached.

    Raises :class:`SourceError` where that row is no longer where it was.
    """
    last: NamedRow | None = None
    for passed in range(after.results):
        last = next(rows, None)
        if last is None:
            raise SourceError(_changed(name, after, f"it has {passed:,} rows now"))
    if last is not None and last[1:] != (after.key, after.origin):
        raise SourceError(_changed(name, after, f"{last[1]!r} stands there now"))
    yield from rows


def begun_at(rows: Iterator[Row], reader: RowReader, after: Position, name: str) -> Iterator[Row]:
    """The rows behind the first one, which must be the row that an earlier run has reached.

    Raises :class:`SourceError` where it is not.
    """
    first = next(rows, None)
    if first is None:
        raise SourceError(_changed(name, after, "there is no row now"))
    if reader.origin(first) != after.origin or not reader.may_be(first, after.key):
        found = reader.name(first)[0]
        raise SourceError(_changed(name, after, f"{found!r} stands there now"))
    yield from rows


def checked(rows: Iterable[Row], reader: RowReader, after: Position, name: str) -> Iterator[Row]:
    """The same rows, among which must be the one that an earlier run has reached.

    Raises :class:`SourceError` where it is another one, or when its place has passed without it.
    """
    awaited = True
    for row in rows:
        origin = reader.origin(row)
        if awaited and origin == after.origin:
            awaited = False
            if not reader.may_be(row, after.key):
                raise SourceError(
                    _changed(name, after, f"{reader.name(row)[0]!r} stands there now")
                )
        elif awaited and origin.file == after.origin.file and _is_behind(origin, after.origin):
            break
        yield row
    if awaited:
        raise SourceError(_changed(name, after, "it is no longer there"))


def _is_behind(origin: Origin, last: Origin) -> bool:
    return last.row is not None and (origin.row is None or origin.row > last.row)


def keyed(
    rows: Iterable[Row],
    reader: RowReader,
    keys: Mapping[RowLocation, str],
    name: str,
    done: Collection[RowLocation] = (),
) -> Iterator[NamedRow]:
    """Of these rows those whose place has a key, and all of a file that has one as a whole.

    Rows that are ``done`` are left out. Stops behind the last one where single rows are wanted.
    Raises :class:`SourceError` where another row stands in a place now.
    """
    whole = {file for file, row in keys if row is None}
    left = {place for place in keys if place[1] is not None and place not in done}
    for row in rows if left or whole else ():
        origin = reader.origin(row)
        place = (origin.file, origin.row)
        if place in left:
            left.discard(place)
            key = reader.name_again(row, keys[place])
            if key is None:
                raise SourceError(_replaced(name, keys[place], reader.name(row)[0]))
            yield row, key, origin
        elif origin.file in whole and place not in done:
            yield (row, *reader.name(row))
        if not left and not whole:
            return


def _replaced(name: str, key: str, found: str) -> str:
    return (
        f"{name} has changed since the run began: expected {key!r} where {found!r} stands now; "
        "begin anew with --restart, or pin the --revision"
    )


def _changed(name: str, after: Position, found: str) -> str:
    return (
        f"{name} has changed since the run began: expected {after.key!r} as number "
        f"{after.results:,}, but {found}; begin anew with --restart, or pin the --revision"
    )
