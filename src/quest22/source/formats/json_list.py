"""Rows of a JSON document that is a list of objects, item by item: never in memory as a whole.

An item that cannot be parsed costs only its own row. A document that breaks off has an open end.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from quest22.source.formats.foreign_text import parsed_json
from quest22.source.limits import MAX_LINE_BYTES, MIB
from quest22.source.rows import NumberedRow, OpenEnd, RowError, Values

_READ_BYTES = 256 << 10
_IN_TEXT = re.compile(rb'["\\]')
_BETWEEN = re.compile(rb'["\[\]{},]')


def begins_list(start: bytes) -> bool:
    """Whether a document that starts with these bytes is a list."""
    return start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")


def json_list_rows(file: BinaryIO, name: str, start: int = 0) -> Iterator[NumberedRow]:
    """The rows of a list from row ``start`` on; raises what reading the file raises."""
    scanner = _Scanner()
    number = 0
    while not scanner.ended and (content := file.read(_READ_BYTES)):
        for item in scanner.items(content):
            number += 1
            if number > start:
                yield number - 1, _row(item, f"{name}, item {number}")
    if not scanner.ended:
        yield number, OpenEnd(f"{name}: the file breaks off in item {number + 1}")


def _row(item: bytes | None, where: str) -> Values | RowError:
    if item is None:
        return RowError(f"{where}: it is longer than {MAX_LINE_BYTES // MIB} MiB")
    try:
        values: Any = parsed_json(item)
    except ValueError as exc:
        return RowError(f"{where}: {exc}")
    return values if isinstance(values, dict) else RowError(f"{where}: it is JSON but no object")


class _Scanner:
    """Finds the items of a list in its bytes, as they come; ``ended`` once the list is closed."""

    def __init__(self) -> None:
        self.ended = False
        self._depth = -1  # of lists and objects inside the list
        self._in_text = self._escaped = False
        self._parts: list[bytes] = []
        self._size = 0

    def items(self, content: bytes) -> Iterator[bytes | None]:
        """The items that these bytes complete; None for one that is too long."""
        at = 0
        while at < len(content) and not self.ended:
            if self._escaped:
                self._escaped = False
                self._take(content[at : at + 1])
                at += 1
                continue
            match = (_IN_TEXT if self._in_text else _BETWEEN).search(content, at)
            if match is None:
                self._take(content[at:])
                return
            begin, at = at, match.end()
            if self._in_text:
                self._take(content[begin:at])
                self._escaped = match.group() == b"\\"
                self._in_text = self._escaped
            else:
                yield from self._between(content[begin : match.start()], match.group())

    def _between(self, before: bytes, sign: bytes) -> Iterator[bytes | None]:
        """What a sign outside of texts means, and the item that it ends."""
        if self._depth >= 0:
            self._take(before)
        self._depth += (sign in b"[{") - (sign in b"]}")
        if self._depth < 0 or (self._depth == 0 and sign == b","):
            self.ended = self._depth < 0
            if self._size > MAX_LINE_BYTES:
                yield None
            elif not self.ended or b"".join(self._parts).strip():
                yield b"".join(self._parts)
            self._parts, self._size = [], 0
        elif self._depth > 0 or sign in b'"]}':
            self._in_text = sign == b'"'
            self._take(sign)

    def _take(self, content: bytes) -> None:
        self._size += len(content)
        if self._size <= MAX_LINE_BYTES:
            self._parts.append(content)
        else:
            self._parts = []
