"""Parses a ``multipart/form-data`` body incrementally (RFC 7578).

File names are never used as paths: only their suffix matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import TypeAlias

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from quest22.server.refusal import Refusal

MAX_PARTS = 256
MAX_HEADERS = 8
MAX_HEADER_BYTES = 4096
MAX_SUFFIX_CHARACTERS = 8
FORM = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class PartStart:
    """The beginning of a part: its field's name, whether it is a file, and the suffix (``.mp3``).

    ``offset`` is where its content begins in the body.
    """

    name: str
    is_file: bool
    suffix: str
    offset: int


PartEvent: TypeAlias = PartStart | bytes | None
"""The beginning of a part, some of its content, or (None) its end."""


class MultipartReader:
    """Parses a body that is fed in pieces; raises :class:`Refusal` if it is not a form."""

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind.decode("latin-1").lower() != FORM or not boundary:
            raise Refusal(
                "bad_request",
                f"the body is {kind.decode('latin-1') or 'of unknown type'}: "
                f"expected {FORM} with a boundary",
            )
        self._is_complete = False
        self.closing_bytes = len(boundary) + 6
        """The minimum size of what follows the last part's content."""
        self._events: list[PartEvent] = []
        self._fed = self._parts = 0
        self._begins = False
        self._field, self._value = bytearray(), bytearray()
        self._disposition = self._data = b""
        with _refusing():
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
                max_header_count=MAX_HEADERS,
                max_header_size=MAX_HEADER_BYTES,
            )

    def feed(self, data: bytes) -> Iterator[PartEvent]:
        """Parse the next bytes of the body."""
        self._data = data
        with _refusing():
            self._parser.write(data)
        self._fed += len(data)
        events, self._events = self._events, []
        yield from events

    def end(self) -> None:
        """The body has ended; raises :class:`Refusal` if the form is incomplete."""
        if not self._is_complete:
            raise Refusal("bad_request", "the form is incomplete: its last boundary is missing")

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Refusal("bad_request", f"the form has more than {MAX_PARTS} parts")
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        self._begins = True

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        # Bytes that looked like a boundary are reported later, from a buffer of the parser's own.
        self._begin(self._fed + start if data is self._data else self._fed - end)
        self._events.append(data[start:end])

    def _on_part_end(self) -> None:
        self._begin(self._fed)
        self._events.append(None)

    def _on_end(self) -> None:
        self._is_complete = True

    def _begin(self, offset: int) -> None:
        if not self._begins:
            return
        self._begins = False
        _, options = parse_options_header(self._disposition)
        name, file_name = options.get(b"name"), options.get(b"filename")
        if name is None:
            raise Refusal("bad_request", "a part of the form has no name")
        suffix = "" if file_name is None else _suffix(file_name)
        begun = PartStart(_text(name), file_name is not None, suffix, offset)
        self._events.append(begun)


class _refusing:  # noqa: N801 -- a context manager
    """Turns the parser's errors into refusals."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FormParserError):
            raise Refusal("bad_request", f"the form cannot be parsed: {error}") from error


def _suffix(file_name: bytes) -> str:
    """In lower case, with its dot; empty if it is not a plain suffix."""
    suffix = PureWindowsPath(file_name.decode("utf-8", "replace")).suffix.lower()
    plain = suffix.isascii() and suffix[1:].isalnum() and len(suffix) <= MAX_SUFFIX_CHARACTERS
    return suffix if plain else ""


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
