"""Checks what a Parquet file claims before pyarrow believes it.

pyarrow reserves the memory that a page header names, and yields as many rows as a footer counts. A
file of a few kB can thus ask for any amount. The footer is checked when it is read, each page
header when its bytes pass on their way to pyarrow.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from quest22.source.formats.thrift import Fields, read_struct
from quest22.source.formats.wrapped_file import SeekableFile, WrappedFile
from quest22.source.limits import (
    MAX_DICTIONARY_VALUES,
    MAX_FOOTER_BYTES,
    MAX_PAGE_BYTES,
    MAX_PAGE_RATIO,
    MAX_PAGE_VALUES,
    MAX_ROWS_PER_BYTE,
    MIB,
    MIN_CLAIMED_ROWS,
    MIN_RATIO_BYTES,
    LimitError,
)

DATA, INDEX, DICTIONARY, DATA_V2 = 0, 1, 2, 3
MAX_HEADER_BYTES = 1 << 20
DICTIONARY_HEADER_BYTES = 64
_COMPRESSIONS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW")
"""By parquet-format's numbers."""

Span: TypeAlias = tuple[int, int]
"""A byte range: from the first offset up to but not including the second."""


def check_row_group(group: Any, needed: Iterable[tuple[Any, Span]], size: int) -> None:
    """Raise :class:`LimitError` if a row group's needed chunks or rows do not fit into the file.

    ``group`` is pyarrow's metadata of it, ``needed`` that of each chunk with its span, ``size`` the
    file's in bytes.
    """
    for chunk, (start, stop) in needed:
        if start < 0 or stop < start or stop > size:
            raise LimitError(
                f"its footer places the column {chunk.path_in_schema!r} at bytes {start:,} to "
                f"{stop:,}, but the file has {size:,}"
            )
    chunks = [group.column(number) for number in range(group.num_columns)]
    held = min(size, sum(max(0, chunk.total_compressed_size) for chunk in chunks))
    most = min(
        MIN_CLAIMED_ROWS + MAX_ROWS_PER_BYTE * held,
        max((chunk.num_values for chunk in chunks), default=0),
    )
    if not 0 <= group.num_rows <= most:
        raise LimitError(f"its footer counts {group.num_rows:,} rows where {most:,} can be")


def page_problem(header: Fields) -> str | None:
    """Why a page is beyond the limits; None if it is within."""
    whole, size, values = header[2], header[3], num_values(header)
    if min(whole, size, values) < 0:
        return "claims a negative size"
    if max(whole, size) > MAX_PAGE_BYTES:
        return f"claims {max(whole, size):,} bytes: expected at most {MAX_PAGE_BYTES // MIB} MiB"
    if whole > MIN_RATIO_BYTES and whole > MAX_PAGE_RATIO * size:
        return f"would unpack from {size:,} to {whole:,} bytes"
    if values > (MAX_DICTIONARY_VALUES if header[1] == DICTIONARY else MAX_PAGE_VALUES):
        return f"claims {values:,} values"
    return None


def num_values(header: Fields) -> int:
    """The number of values, nulls included, of a page of data or a dictionary; 0 for others."""
    described = {DATA: 5, DICTIONARY: 7, DATA_V2: 8}.get(header[1], 0)
    values: int = header.get(described, {}).get(1, 0)
    return values


def read_header(file: SeekableFile, start: int, stop: int) -> tuple[Fields, int] | None:
    """The page header at an offset and its length; None if there is none before ``stop``."""
    for limit in (1 << 10, MAX_HEADER_BYTES):
        file.seek(start)
        header = _header_in(file.read(min(limit, stop - start)))
        if header is not None:
            return header
    return None


def _header_in(content: bytes) -> tuple[Fields, int] | None:
    try:
        fields, length = read_struct(content)
        fields[1], fields[2], fields[3]
    except (IndexError, KeyError, ValueError):
        return None
    return fields, length


def compressions(file: SeekableFile, group: int) -> dict[str, str]:
    """Column → its compression in a row group, as far as it is known.

    pyarrow would end the process at an unknown one, so the footer is read once more.
    """
    file.seek(-8, io.SEEK_END)
    size = int.from_bytes(file.read(4), "little")
    file.seek(-8 - size, io.SEEK_END)
    try:
        fields, _ = read_struct(file.read(size))
        chunks = [column[3] for column in fields[4][group][1]]
        paths = [b".".join(chunk[3]).decode("utf-8", "replace") for chunk in chunks]
        codecs = [chunk[4] for chunk in chunks]
    except (IndexError, KeyError, TypeError, ValueError):
        return {}
    return {
        path: _COMPRESSIONS[codec]
        for path, codec in zip(paths, codecs, strict=True)
        if 0 <= codec < len(_COMPRESSIONS)
    }


@dataclass(slots=True)
class _Chunk:
    """A column chunk on its way: where its next page header is, and what of that has passed."""

    name: str
    stop: int
    next_header: int
    seen: bytes = b""


class CheckedFile(WrappedFile):
    """A file whose page headers are checked as they are read; reading raises :class:`LimitError`.

    Also sums up what is unpacked: :meth:`allow_more` is called between two batches of rows, so
    that no batch takes more than twice the limit of a page.
    """

    def __init__(self, file: SeekableFile, chunks: Iterable[tuple[str, Span]]) -> None:
        """``chunks``: the name and the span of each column chunk that will be read."""
        super().__init__(file)
        self._chunks = sorted(
            (_Chunk(name, stop, start) for name, (start, stop) in chunks),
            key=lambda chunk: chunk.next_header,
        )
        self._starts = [chunk.next_header for chunk in self._chunks]
        self.allow_more()

    def allow_more(self) -> None:
        """Begin another batch of rows."""
        self._bytes = self._values = 0

    def read(self, size: int | None = -1, /) -> bytes:
        offset = self._file.tell()
        content = self._file.read(-1 if size is None else size)
        number = bisect_right(self._starts, offset) - 1
        if number >= 0 and offset < self._chunks[number].stop:
            self._pass(self._chunks[number], offset, content)
        return content

    def readinto(self, buffer: Any, /) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def _pass(self, chunk: _Chunk, offset: int, content: bytes) -> None:
        """Check the headers that begin or end in these bytes of a chunk."""
        end = offset + len(content)
        while chunk.next_header < min(end, chunk.stop):
            at = chunk.next_header
            seen = chunk.seen + content[max(0, at + len(chunk.seen) - offset) :]
            header = _header_in(seen[:MAX_HEADER_BYTES])
            if header is None:
                if len(seen) >= min(MAX_HEADER_BYTES, chunk.stop - at):
                    raise LimitError(f"a page header of {chunk.name!r} at byte {at:,} is damaged")
                chunk.seen = seen
                return
            chunk.seen = b""
            chunk.next_header = at + self._checked(chunk, at, *header)

    def _checked(self, chunk: _Chunk, at: int, header: Fields, length: int) -> int:
        """The bytes that a page takes with its header."""
        problem = page_problem(header)
        if problem is None and at + length + header[3] > chunk.stop:
            problem = "goes on after the end of its column chunk"
        if problem is not None:
            raise LimitError(f"the page of {chunk.name!r} at byte {at:,} {problem}")
        self._bytes += header[2]
        self._values += num_values(header)
        if self._bytes > 2 * MAX_PAGE_BYTES or self._values > 2 * MAX_PAGE_VALUES:
            raise LimitError(f"a row takes more than {2 * MAX_PAGE_BYTES // MIB} MiB")
        return length + int(header[3])


class FooterFile(WrappedFile):
    """A file of which no more than a footer may take is read at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size > MAX_FOOTER_BYTES:
            raise LimitError(f"its footer claims {size or 0:,} bytes")
        return self._file.read(size)


def largest_value_bytes(file: SeekableFile, chunks: Sequence[tuple[Any, Span]]) -> int:
    """The most that one value can take if it is in a dictionary; 0 without dictionaries."""
    largest = 0
    for chunk, (_, stop) in chunks:
        if not chunk.has_dictionary_page or not chunk.dictionary_page_offset:
            continue
        start = chunk.dictionary_page_offset
        file.seek(start)
        # Not the chunk's last byte: then it would count as read, and be fetched again.
        header = _header_in(file.read(min(DICTIONARY_HEADER_BYTES, stop - 1 - start)))
        if header is not None and header[0][1] == DICTIONARY:
            largest = max(largest, header[0][2])
    return largest
