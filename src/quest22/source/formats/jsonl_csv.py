"""Rows of JSON lines and CSV files. A line that cannot be parsed costs only its own row.

Empty lines are ignored. A last line without a line end that cannot be parsed is an open end: the
file breaks off there.
"""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from quest22.source.columns import is_common_name
from quest22.source.formats.foreign_text import as_named, parsed_json
from quest22.source.limits import MAX_LINE_BYTES, MAX_RECORD_LINES, MIB, LimitError
from quest22.source.rows import NumberedRow, OpenEnd, RowError, Values

SEPARATORS = ",;\t|"
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_BREAKS_OFF = "the file breaks off in this line, which has no line end"
_FRACTION = re.compile(r"-?(0|[1-9]\d*)\.\d+([eE][-+]?\d+)?")


class Line(NamedTuple):
    """A line: its number, from 1, its bytes without the line end, and whether it has one."""

    number: int
    content: bytes
    ended: bool


Unreadable: TypeAlias = RowError | OpenEnd


def json_rows(file: BinaryIO, name: str, start: int = 0) -> Iterator[NumberedRow]:
    """The rows of JSON lines from row ``start`` on; raises what reading the file raises."""
    for number, item in enumerate(_nonempty_lines(file, name)):
        if number >= start:
            yield number, item if isinstance(item, RowError) else _json_row(item, name)


def csv_rows(
    file: BinaryIO,
    name: str,
    separator: str | None,
    text_columns: Collection[str],
    start: int = 0,
) -> Iterator[NumberedRow]:
    """The rows of a CSV file with a header, from row ``start`` on.

    Without a ``separator``, the header tells: comma, semicolon, tab or ``|``.
    Cells that are plain numbers become numbers, except in ``text_columns``. Raises what reading the
    file raises.
    """
    records = csv_records(file, name, separator)
    header = next(records, None)
    if header is None or isinstance(header, Unreadable):
        if header is not None:
            yield start, OpenEnd(header.reason)
        return
    names = [cell.strip() for cell in header]
    for number, record in enumerate(records):
        if number < start:
            continue
        if isinstance(record, Unreadable):
            yield number, record
        else:
            yield (
                number,
                {
                    column: cell if column in text_columns else number_or_text(cell)
                    for column, cell in zip(names, record, strict=True)
                },
            )


def csv_records(
    file: BinaryIO, name: str, separator: str | None
) -> Iterator[list[str] | Unreadable]:
    """Records with as many cells as the first one; quoted cells may span lines.

    Without a ``separator``, the first line tells.
    """
    csv.field_size_limit(MAX_LINE_BYTES)  # of the process; cells may hold sound in base64
    lines = _Lines(_nonempty_lines(file, name))
    num_cells: int | None = None
    for item in lines:
        if isinstance(item, RowError):
            yield item
            continue
        separator = separator or separator_of(item.content)
        record = _record(item, lines, separator, num_cells)
        if isinstance(record, Unreadable):
            yield replace(record, reason=f"{name}, line {item.number}: {record.reason}")
            continue
        num_cells = num_cells or len(record)
        yield record


def separator_of(header: bytes) -> str:
    """What separates the cells of a header: what gives most common names, then most cells."""

    def rank(separator: str) -> tuple[int, int]:
        cells = _cells(header, separator, None)
        if isinstance(cells, RowError):
            return 0, 0
        return sum(is_common_name(cell.strip()) for cell in cells), len(cells)

    return max(SEPARATORS, key=rank)


def number_or_text(cell: str) -> int | float | str:
    """The number in a cell, or the cell if it is no plain number (``007`` is an id)."""
    if _WHOLE.fullmatch(cell):
        return int(cell)
    if _FRACTION.fullmatch(cell) and math.isfinite(float(cell)):
        return float(cell)
    return cell


class _Lines:
    """An iterator of lines that can be pushed back."""

    def __init__(self, lines: Iterator[Line | RowError]) -> None:
        self._lines = lines
        self._pushed_back: list[Line | RowError] = []

    def __iter__(self) -> Iterator[Line | RowError]:
        return self

    def __next__(self) -> Line | RowError:
        return self._pushed_back.pop() if self._pushed_back else next(self._lines)

    def push_back(self, lines: list[Line | RowError]) -> None:
        self._pushed_back.extend(reversed(lines))


def _record(
    line: Line, more: _Lines, separator: str, num_cells: int | None
) -> list[str] | Unreadable:
    """The record that begins with a line; on an error its other lines are pushed back."""
    continuation: list[Line | RowError] = []
    parts, ended = [line.content], line.ended
    is_open = line.content.count(b'"') % 2 == 1
    size = len(line.content)
    while is_open and len(continuation) < MAX_RECORD_LINES and size <= MAX_LINE_BYTES:
        following = next(more, None)
        if following is None:
            break
        continuation.append(following)
        if isinstance(following, RowError):
            break
        parts.append(following.content)
        ended = following.ended
        is_open ^= following.content.count(b'"') % 2 == 1
        size += len(following.content)
    if size > MAX_LINE_BYTES:
        record: list[str] | RowError = RowError(f"it is longer than {MAX_LINE_BYTES // MIB} MiB")
    else:
        record = _cells(b"\n".join(parts), separator, num_cells)
    if isinstance(record, RowError) and not ended:
        return OpenEnd(f"{record.reason}, as {_BREAKS_OFF}")
    if isinstance(record, RowError):
        more.push_back(continuation)
    return record


def _cells(content: bytes, separator: str, num_cells: int | None) -> list[str] | RowError:
    try:
        text = as_named(content)
        rows = list(csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True))
    except (ValueError, csv.Error) as exc:
        return RowError(f"it is no record of CSV ({exc})")
    if len(rows) != 1:
        return RowError("it is no record of CSV (a quotation mark is not closed)")
    if num_cells is not None and len(rows[0]) != num_cells:
        return RowError(f"expected {num_cells} cells, found {len(rows[0])}")
    return rows[0]


def _json_row(line: Line, name: str) -> Values | Unreadable:
    try:
        values: Any = parsed_json(line.content)
    except LimitError as exc:
        return RowError(f"{name}, line {line.number}: {exc}")
    except ValueError as exc:
        if not line.ended:
            return OpenEnd(f"{name}, line {line.number}: {_BREAKS_OFF}")
        return RowError(f"{name}, line {line.number}: it is no JSON ({exc})")
    if not isinstance(values, dict):
        return RowError(f"{name}, line {line.number}: it is JSON but no object")
    return values


def _nonempty_lines(file: BinaryIO, name: str) -> Iterator[Line | RowError]:
    """Non-empty lines; a RowError for a line that is too long."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES):
        if not number and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ValueError("it is UTF-16: expected UTF-8; save it as such")
        too_long = len(line) == MAX_LINE_BYTES and not line.endswith(b"\n")
        while too_long and (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass
        number += 1
        if too_long:
            yield RowError(f"{name}, line {number}: it is longer than {MAX_LINE_BYTES // MIB} MiB")
        elif line.strip():
            yield Line(number, line.rstrip(b"\r\n"), line.endswith(b"\n"))
