"""Finds damaged pages in a Parquet column chunk, and masks them so that other rows can be read.

pyarrow gives up at the first damaged page of a row group. This module walks the page headers itself
(as parquet-format defines them). A patch replaces a damaged page by a
page of as many nulls and, to keep its size, an index page, which readers skip.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from quest22.source.formats.parquet_checks import (
    DATA,
    DATA_V2,
    INDEX,
    page_problem,
    read_header,
)
from quest22.source.formats.parquet_checks import (
    num_values as values_of_page,
)
from quest22.source.formats.thrift import varint, zigzag
from quest22.source.formats.wrapped_file import SeekableFile, WrappedFile

_RLE = 3
_CODECS = {"SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd", "BROTLI": "brotli"}
_PLAIN = "UNCOMPRESSED"


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its offset in the file, the sizes of header and body, its rows, what is wrong."""

    start: int
    header_bytes: int
    body_bytes: int
    first_row: int
    rows: int
    problem: str | None

    @property
    def stop(self) -> int:
        return self.start + self.header_bytes + self.body_bytes


@dataclass(frozen=True, slots=True)
class Patch:
    """Replaces ``size`` bytes of a file from ``start`` on: by ``head``, then zeros."""

    start: int
    size: int
    head: bytes


def damaged_pages(
    file: SeekableFile, compression: str, num_values: int, span: tuple[int, int]
) -> Iterator[Page]:
    """The damaged data pages of a flat column's chunk, which occupies ``span`` of the file.

    Ends at a header that cannot be read, or after so many values.
    """
    start, stop = span
    row = 0
    while start < stop and row < num_values:
        page = _page(file, compression, start, stop, row)
        if page is None:
            return
        if page.problem:
            yield page
        start, row = page.stop, page.first_row + page.rows


def null_patch(page: Page, compression: str) -> Patch | None:
    """The patch that masks a damaged page; None if the page is too small for it."""
    levels = varint(page.rows << 1) + b"\0"
    body = len(levels).to_bytes(4, "little") + levels
    packed = _compressed(body, compression)
    inner = b"\x2c" + b"".join(b"\x15" + zigzag(n) for n in (page.rows, 0, _RLE, _RLE)) + b"\0"
    nulls = _header(DATA, len(body), len(packed), inner) + packed
    size = page.stop - page.start
    for header_bytes in range(9, 20):
        rest = size - len(nulls) - header_bytes
        filler = _header(INDEX, rest, rest, b"\x3c\0") if rest >= 0 else b""
        if len(filler) == header_bytes:
            return Patch(page.start, size, nulls + filler)
    return None


class Patched(WrappedFile):
    """A file with patches applied."""

    def __init__(self, file: SeekableFile, patches: Sequence[Patch]) -> None:
        super().__init__(file)
        self._patches = patches

    def readinto(self, buffer: Any, /) -> int:
        offset = self._file.tell()
        data = bytearray(self._file.read(len(buffer)))
        for patch in self._patches:
            low, high = max(offset, patch.start), min(offset + len(data), patch.start + patch.size)
            if low < high:
                shown = patch.head[low - patch.start : high - patch.start]
                data[low - offset : high - offset] = shown + bytes(high - low - len(shown))
        buffer[: len(data)] = data
        return len(data)


def _page(file: SeekableFile, compression: str, start: int, stop: int, row: int) -> Page | None:
    header = read_header(file, start, stop)
    if header is None:
        return None
    fields, length = header
    kind, whole, size = fields[1], fields[2], fields[3]
    if size < 0 or start + length + size > stop:
        return None
    rows = values_of_page(fields) if kind in (DATA, DATA_V2) else 0
    problem = page_problem(fields)
    if problem is None and rows > 0:
        file.seek(start + length)
        if not _is_intact(file.read(size), fields, compression, whole):
            problem = "is damaged"
    return Page(start, length, size, row, rows, problem if rows > 0 else None)


def _is_intact(body: bytes, fields: dict[int, Any], compression: str, whole: int) -> bool:
    """Whether a page's checksum matches or, without a checksum, its body decompresses."""
    import pyarrow as pa

    if 4 in fields:
        checksum: int = fields[4] & 0xFFFFFFFF
        return zlib.crc32(body) == checksum
    levels = 0
    if 8 in fields:  # version 2: uncompressed levels precede the data
        levels = fields[8].get(5, 0) + fields[8].get(6, 0)
    if compression not in _CODECS or len(body) == levels or fields.get(8, {}).get(7) is False:
        return True
    try:
        pa.decompress(body[levels:], whole - levels, _CODECS[compression])
    except (pa.ArrowException, OSError, ValueError):
        return False
    return True


def _compressed(body: bytes, compression: str) -> bytes:
    import pyarrow as pa

    if compression == _PLAIN:
        return body
    packed: bytes = pa.compress(body, _CODECS[compression], asbytes=True)
    return packed


def _header(kind: int, whole: int, size: int, rest: bytes) -> bytes:
    """A page header: fields 1 to 3, the fields of its type, and the stop byte."""
    return b"".join(b"\x15" + zigzag(number) for number in (kind, whole, size)) + rest + b"\0"
