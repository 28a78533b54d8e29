"""The pages of a Parquet column chunk, one by one: which of them are damaged, and what to do.

pyarrow gives up at the first damaged page of a row group. Here headers are walked by hand (Thrift's
compact protocol, as parquet-format defines them), so that the page alone is lost: in its place a
reader is shown a page of as many nulls, and behind it one of a kind that readers pass over.
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


class Readable(Protocol):
    """A file that can be read from any place on."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int = ..., /) -> int: ...

    def tell(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Page:
    """One page: where it begins, how long its header and its body are, and the rows it holds."""

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
    """Other bytes for a stretch of a file: ``head``, then zeros up to ``size``."""

    start: int
    size: int
    head: bytes


def damaged_pages(file: Readable, chunk: Any, span: tuple[int, int]) -> Iterator[Page]:
    """The damaged data pages of a flat column's chunk, which lies in ``span``.

    ``chunk`` is what pyarrow tells of it. Ends where a header cannot be read.
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
    """What stands for a damaged page; None where there is no room for it."""
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
    """A file with some stretches replaced."""

    def __init__(self, file: Readable, patches: Sequence[Patch]) -> None:
        self._file = file
        self._patches = patches

    def readinto(self, buffer: Any, /) -> int:
        at = self._file.tell()
        data = bytearray(self._file.read(len(buffer)))
        for patch in self._patches:
            low, high = max(at, patch.start), min(at + len(data), patch.start + patch.size)
            if low < high:
                shown = patch.head[low - patch.start : high - patch.start]
                data[low - at : high - at] = shown + bytes(high - low - len(shown))
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


def _page(file: Readable, compression: str, start: int, stop: int, row: int) -> Page | None:
    for most in _HEADER_BYTES:
        file.seek(start)
        content = file.read(min(most, stop - start))
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
        damaged = rows > 0 and not _is_whole(file.read(size), fields, compression, whole)
        return Page(start, length, size, row, rows, damaged)
    return None


def _is_whole(body: bytes, fields: dict[int, Any], compression: str, whole: int) -> bool:
    """Whether a page's body is what was written, as far as that can be told."""
    import pyarrow as pa

    if 4 in fields:
        checksum: int = fields[4] & 0xFFFFFFFF
        return zlib.crc32(body) == checksum
    levels = 0
    if 8 in fields:  # version 2: levels stand before what is compressed
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
    """A page header: fields 1 to 3, what is special of its kind, and the end."""
    return b"".join(b"\x15" + _zigzag(number) for number in (kind, whole, size)) + rest + b"\0"


def _zigzag(number: int) -> bytes:
    return _varint(number << 1)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
        if shift > 63:
            raise ValueError("a number without an end")


def _struct(content: bytes, at: int) -> tuple[dict[int, Any], int]:
    """A struct of Thrift's compact protocol by its fields' numbers, and where it ends."""
    fields: dict[int, Any] = {}
    number = 0
    while content[at]:
        kind, delta = content[at] & 0x0F, content[at] >> 4
        at += 1
        if delta:
            number += delta
        else:
            raw, at = _read_varint(content, at)
            number = (raw >> 1) ^ -(raw & 1)
        fields[number], at = _value(content, at, kind)
    return fields, at + 1


def _value(content: bytes, at: int, kind: int) -> tuple[Any, int]:
    """A value of one of the kinds that page headers hold."""
    if kind in (1, 2):
        return kind == 1, at
    if kind in (4, 5, 6):
        raw, at = _read_varint(content, at)
        return (raw >> 1) ^ -(raw & 1), at
    if kind == 8:
        size, at = _read_varint(content, at)
        if at + size > len(content):
            raise IndexError("the text goes on")
        return content[at : at + size], at + size
    if kind == 12:
        return _struct(content, at)
    raise ValueError(f"a field of kind {kind}")
