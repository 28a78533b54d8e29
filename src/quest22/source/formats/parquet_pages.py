"""Finds damaged pages in a Parquet column chunk, and masks them so that other rows can be read.

pyarrow gives up at the first damaged page of a row group. This module walks the page headers itself
(Thrift's compact protocol, as parquet-format defines them). A patch replaces a damaged page by a
page of as many nulls and, to keep its size, an index page, which readers skip.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_DATA, _INDEX, _DATA_V2 = 0, 1, 3
_RLE = 3
_HEADER_BYTES = (1 << 10, 1 << 20)
_CODECS = {"SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd", "BROTLI": "brotli"}
_PLAIN = "UNCOMPRESSED"


class SeekableFile(Protocol):
    """A binary file with random access."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int = ..., /) -> int: ...

    def tell(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its offset in the file, the sizes of header and body, and its rows."""

    start: int
    header_bytes: int
    body_bytes: int
    first_row: int
    rows: int
    damaged: bool

    @property
    def stop(self) -> int:
        return self.start + self.header_bytes + self.body_bytes


@dataclass(frozen=True, slots=True)
class Patch:
    """Replaces ``size`` bytes of a file from ``start`` on: by ``head``, then zeros."""

    start: int
    size: int
    head: bytes


def damaged_pages(file: SeekableFile, chunk: Any, span: tuple[int, int]) -> Iterator[Page]:
    """The damaged data pages of a flat column's chunk, which occupies ``span`` of the file.

    ``chunk`` is pyarrow's metadata of it. Ends at a header that cannot be read.
    """
    start, stop = span
    row = 0
    while start < stop and row < chunk.num_values:
        page = _page(file, chunk.compression, start, stop, row)
        if page is None:
            return
        if page.damaged:
            yield page
        start, row = page.stop, page.first_row + page.rows


def null_patch(page: Page, compression: str) -> Patch | None:
    """The patch that masks a damaged page; None if the page is too small for it."""
    levels = _varint(page.rows << 1) + b"\0"
    body = len(levels).to_bytes(4, "little") + levels
    packed = _compressed(body, compression)
    inner = b"\x2c" + b"".join(b"\x15" + _zigzag(n) for n in (page.rows, 0, _RLE, _RLE)) + b"\0"
    nulls = _header(_DATA, len(body), len(packed), inner) + packed
    size = page.stop - page.start
    for header_bytes in range(9, 20):
        rest = size - len(nulls) - header_bytes
        filler = _header(_INDEX, rest, rest, b"\x3c\0") if rest >= 0 else b""
        if len(filler) == header_bytes:
            return Patch(page.start, size, nulls + filler)
    return None


class Patched(io.RawIOBase):
    """A file with patches applied."""

    def __init__(self, file: SeekableFile, patches: Sequence[Patch]) -> None:
        self._file = file
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

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _page(file: SeekableFile, compression: str, start: int, stop: int, row: int) -> Page | None:
    for header_limit in _HEADER_BYTES:
        file.seek(start)
        content = file.read(min(header_limit, stop - start))
        try:
            fields, length = _struct(content, 0)
            kind, whole, size = fields[1], fields[2], fields[3]
        except (IndexError, KeyError, ValueError):
            continue
        if size < 0 or start + length + size > stop:
            return None
        rows = 0
        if kind in (_DATA, _DATA_V2):
            rows = fields.get(5, fields.get(8, {})).get(1, 0)
        file.seek(start + length)
        damaged = rows > 0 and not _is_intact(file.read(size), fields, compression, whole)
        return Page(start, length, size, row, rows, damaged)
    return None


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
    return b"".join(b"\x15" + _zigzag(number) for number in (kind, whole, size)) + rest + b"\0"


def _zigzag(number: int) -> bytes:
    return _varint(number << 1)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _read_varint(content: bytes, offset: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[offset]
        number |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 0x80:
            return number, offset
        if shift > 63:
            raise ValueError("a number without an end")


def _struct(content: bytes, offset: int) -> tuple[dict[int, Any], int]:
    """A struct of Thrift's compact protocol as values by field number, and the offset after it."""
    fields: dict[int, Any] = {}
    number = 0
    while content[offset]:
        kind, delta = content[offset] & 0x0F, content[offset] >> 4
        offset += 1
        if delta:
            number += delta
        else:
            raw, offset = _read_varint(content, offset)
            number = (raw >> 1) ^ -(raw & 1)
        fields[number], offset = _value(content, offset, kind)
    return fields, offset + 1


def _value(content: bytes, offset: int, kind: int) -> tuple[Any, int]:
    """A value of one of the types that occur in page headers."""
    if kind in (1, 2):
        return kind == 1, offset
    if kind in (4, 5, 6):
        raw, offset = _read_varint(content, offset)
        return (raw >> 1) ^ -(raw & 1), offset
    if kind == 8:
        size, offset = _read_varint(content, offset)
        if offset + size > len(content):
            raise IndexError("the text goes on")
        return content[offset : offset + size], offset + size
    if kind == 12:
        return _struct(content, offset)
    raise ValueError(f"a field of kind {kind}")
