"""Rows of JSON lines and of CSV: a line that cannot be understood costs itself alone.

Lines are told apart by their ends; empty ones do not count. What follows where a file breaks off
(a damaged compression) is one unread row.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, TypeAlias

from quest22.source.formats.row_error import Numbered, RowError, Values
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.retry import NetworkError

LONGEST_LINE = 64 << 20
LONGEST_RECORD_LINES = 256
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_FRACTION = re.compile(r"-?(0|[1-9]\d*)\.\d+([eE][-+]?\d+)?")

Line: TypeAlias = tuple[int, bytes]
"""A line's number from 1, and its bytes without the end."""


def json_rows(file: BinaryIO, name: str, start: int = 0) -> Iterator[Numbered]:
    """The rows of JSON lines from row ``start`` on."""
    for number, item in enumerate(_whole_lines(file, name)):
        if number >= start:
            yield number, item if isinstance(item, RowError) else _json_row(item, name)


def csv_rows(
    file: BinaryIO, name: str, separator: str, texts: Collection[str], start: int = 0
) -> Iterator[Numbered]:
    """The rows of a CSV file with a header, from row ``start`` on.

    Cells that are plain numbers become numbers, but for those of the columns ``texts``.
    """
    records = csv_records(file, name, separator)
    header = next(records, None)
    if header is None or isinstance(header, RowError):
        if header is not None:
            yield None, header
        return
    names = [cell.strip() for cell in header]
    for number, record in enumerate(records):
        if number < start:
            continue
        if isinstance(record, RowError):
            yield number, record
        else:
            yield (
                number,
                {
                    column: cell if column in texts else number_or_text(cell)
                    for column, cell in zip(names, record, strict=True)
                },
            )


def csv_records(file: BinaryIO, name: str, separator: str) -> Iterator[list[str] | RowError]:
    """Records of as many cells as the first one; quoted cells may span lines."""
    lines = _Lines(_whole_lines(file, name))
    width: int | None = None
    for item in lines:
        if isinstance(item, RowError):
            yield item
            continue
        record = _record(item, lines, separator, width)
        if isinstance(record, RowError):
            yield RowError(f"{name}, line {item[0]}: {record.reason}")
            continue
        width = width or len(record)
        yield record


def number_or_text(cell: str) -> int | float | str:
    """A number where the cell is one written plainly (``007`` is an id); else the cell."""
    if _WHOLE.fullmatch(cell):
        return int(cell)
    if _FRACTION.fullmatch(cell) and math.isfinite(float(cell)):
        return float(cell)
    return cell


class _Lines:
    """Lines, of which some can be given back."""

    def __init__(self, lines: Iterator[Line | RowError]) -> None:
        self._lines = lines
        self._back: list[Line | RowError] = []

    def __iter__(self) -> Iterator[Line | RowError]:
        return self

    def __next__(self) -> Line | RowError:
        return self._back.pop() if self._back else next(self._lines)

    def give_back(self, lines: list[Line | RowError]) -> None:
        self._back.extend(reversed(lines))


def _record(line: Line, more: _Lines, separator: str, width: int | None) -> list[str] | RowError:
    """The record that begins with a line; if it does not work out, the other lines go back."""
    taken: list[Line | RowError] = []
    content = line[1]
    while content.count(b'"') % 2 and len(taken) < LONGEST_RECORD_LINES:
        following = next(more, None)
        if following is None:
            break
        taken.append(following)
        if isinstance(following, RowError):
            break
        content += b"\n" + following[1]
    record = _cells(content, separator, width)
    if isinstance(record, RowError):
        more.give_back(taken)
    return record


def _cells(content: bytes, separator: str, width: int | None) -> list[str] | RowError:
    try:
        text = content.decode("utf-8-sig")
        rows = list(csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True))
    except (ValueError, csv.Error) as exc:
        return RowError(f"it is no record of CSV ({exc})")
    if len(rows) != 1:
        return RowError("it is no record of CSV (a quotation mark is not closed)")
    if width is not None and len(rows[0]) != width:
        return RowError(f"expected {width} cells, found {len(rows[0])}")
    return rows[0]


def _json_row(line: Line, name: str) -> Values | RowError:
    try:
        values: Any = json.loads(line[1])
    except ValueError as exc:
        return RowError(f"{name}, line {line[0]}: it is no JSON ({exc})")
    except RecursionError:
        return RowError(f"{name}, line {line[0]}: its JSON is nested too deeply")
    if not isinstance(values, dict):
        return RowError(f"{name}, line {line[0]}: it is JSON but no object")
    return values


def _whole_lines(file: BinaryIO, name: str) -> Iterator[Line | RowError]:
    """Lines that hold anything; one that is too long, or the rest that is lost, as unread."""
    number = 0
    while True:
        try:
            line = file.readline(LONGEST_LINE)
            too_long = len(line) == LONGEST_LINE and not line.endswith(b"\n")
            while too_long and (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
        except NetworkError:
            raise
        except Exception as exc:
            yield RowError(f"{reason_of(exc, f'{name}, after line {number}')}; the rest is lost")
            return
        if not line:
            return
        number += 1
        if too_long:
            yield RowError(f"{name}, line {number}: it is longer than {LONGEST_LINE >> 20} MiB")
        elif line.strip():
            yield number, line.rstrip(b"\r\n")
