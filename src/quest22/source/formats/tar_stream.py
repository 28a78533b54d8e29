"""Reads a tar from start to end, whatever its headers claim; knows nothing of rows.

The formats of Unix V7, POSIX (ustar, pax) and GNU tar. A damaged header costs its member: reading
goes on at the next valid one. Nothing is reserved because a header says so; ``tarfile`` reads long
names, extended headers and maps of sparse members whole, however long they are.

Source: POSIX.1-2017, pax; https://www.gnu.org/software/tar/manual/html_node/Standard.html.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol, TypeAlias

from quest22.source.limits import KIB, MAX_MEMBER_NAME_BYTES, MAX_TAR_HEADER_BYTES, MIB

BLOCK_BYTES = 512
_COPY_BYTES = 1 << 20
_REGULAR, _OLD_REGULAR, _CONTIGUOUS, _SPARSE = b"0", b"\0", b"7", b"S"
_WITHOUT_CONTENT = frozenset({b"1", b"2", b"3", b"4", b"5", b"6"})
_LONG_NAME, _LONG_LINK, _EXTENDED, _GLOBAL = b"L", b"K", frozenset({b"x", b"X"}), b"g"
_RECORD = re.compile(rb"(\d{1,20}) ([^=]+)=")
_ZEROS = bytes(BLOCK_BYTES)

Piece: TypeAlias = tuple[int, int]
"""A stored part of a sparse member: its offset in the member, and its bytes."""


class TarError(Exception):
    """The file breaks off inside a member."""


class Readable(Protocol):
    """Bytes in order."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(slots=True)
class TarMember:
    """A regular file: its name and size in bytes; read ``content`` before the next member.

    ``content_at`` is the offset of what is stored of it. ``problem`` says why it cannot be read.
    ``sparse``: it is stored without its holes, so its size says nothing of what is stored.
    """

    name: str
    size: int
    content: BinaryIO = field(repr=False)
    content_at: int
    problem: str | None = None
    sparse: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A damaged header at this byte; reading goes on with the next valid one."""

    start: int


@dataclass(frozen=True, slots=True)
class TarEnd:
    """The end of the file; ``problem`` says why members may be missing."""

    problem: str | None = None


def tar_members(file: Readable) -> Iterator[TarMember | Gap | TarEnd]:
    """The regular files of a tar, a :class:`Gap` for each damaged part, and the :class:`TarEnd`.

    Raises :class:`TarError` if the file breaks off inside a member.
    """
    stream = _Stream(file)
    notes = _Notes()
    damaged_at: int | None = None
    ended = False
    while len(block := stream.read_up_to(BLOCK_BYTES)) == BLOCK_BYTES:
        start = stream.position - BLOCK_BYTES
        if block == _ZEROS:
            ended = True
            continue
        header = _Header.parse(block)
        if header is None:
            damaged_at = start if damaged_at is None else damaged_at
            continue
        ended = False
        if damaged_at is not None:
            yield Gap(damaged_at)
            damaged_at, notes = None, _Notes()
        if notes.take(header, stream):
            continue
        end = stream.position
        if header.is_file:
            member = _member(header, notes, stream)
            end = member.content_at
            yield member
        if header.kind not in _WITHOUT_CONTENT:
            end += _padded(header.size_with(notes))
        stream.skip_to(end, notes.name or header.name)
        notes = _Notes()
    yield TarEnd(_problem_at_end(stream.position, len(block), damaged_at, ended))


def _problem_at_end(size: int, rest: int, damaged_at: int | None, ended: bool) -> str | None:
    if damaged_at == 0:
        return "it is no tar file, or a damaged one: fetch or upload it again"
    if damaged_at is not None:
        return f"a damaged header at byte {damaged_at:,}, and none follows"
    if ended:
        return None
    where = "in the header of a member" if rest else "without the mark of its end"
    return f"the file breaks off at byte {size:,}, {where}"


class _Stream:
    """A file that is read in order; ``position`` counts its bytes."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self.position = 0

    def read_up_to(self, size: int) -> bytes:
        """The next bytes, fewer only at the end of the file."""
        content = self._file.read(size)
        self.position += len(content)
        if len(content) == size or not content:
            return content
        parts = [content]
        while content and (missing := size - sum(map(len, parts))):
            content = self._file.read(missing)
            self.position += len(content)
            parts.append(content)
        return b"".join(parts)

    def read(self, size: int, name: str) -> bytes:
        content = self.read_up_to(size)
        if len(content) < size:
            raise TarError(f"the file breaks off at byte {self.position:,}, in {name}")
        return content

    def skip_to(self, end: int, name: str) -> None:
        """Go on to ``end``; the last member's padding may be missing."""
        while self.position < end:
            wanted = min(_COPY_BYTES, end - self.position)
            if len(self.read_up_to(wanted)) < wanted:
                if end - self.position < BLOCK_BYTES:
                    return
                raise TarError(f"the file breaks off at byte {self.position:,}, in {name}")


@dataclass(frozen=True, slots=True)
class _Header:
    """What a block says of the member after it."""

    name: str
    size: int
    kind: bytes
    block: bytes = field(repr=False)

    @staticmethod
    def parse(block: bytes) -> _Header | None:
        """None for a block that is no header: its sum is another, or a number is none."""
        stated, size = _number(block[148:156]), _number(block[124:136])
        rest = block[:148] + b" " * 8 + block[156:]
        if stated is None or size is None or size < 0:
            return None
        signed = sum(rest) - 256 * sum(byte > 127 for byte in rest)
        if stated not in (sum(rest), signed):
            return None
        name = _text(block[:100])
        if block[257:262] == b"ustar" and block[257:265] != b"ustar  \0" and block[345]:
            name = f"{_text(block[345:500])}/{name}"
        return _Header(name, size, block[156:157], block)

    @property
    def is_file(self) -> bool:
        if self.kind == _OLD_REGULAR and self.name.endswith("/"):
            return False
        return self.kind in (_REGULAR, _OLD_REGULAR, _CONTIGUOUS, _SPARSE)

    def size_with(self, notes: _Notes) -> int:
        size = notes.records.get("size", "")
        return int(size) if size.isdecimal() and len(size) < 20 else self.size


class _Notes:
    """What precedes a member: its long name, and the records of an extended header."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.records: Mapping[str, str] = {}
        self.problem: str | None = None

    def take(self, header: _Header, stream: _Stream) -> bool:
        """Read such a header's content; False for the header of a member."""
        if header.kind in (_LONG_NAME, _LONG_LINK):
            content = self._content(header, stream, MAX_MEMBER_NAME_BYTES, "name")
            if header.kind == _LONG_NAME and content is not None:
                self.name = _text(content)
        elif header.kind in _EXTENDED:
            content = self._content(header, stream, MAX_TAR_HEADER_BYTES, "extended header")
            self.records = {} if content is None else _records(content)
            self.name = self.records.get("path", self.name)
        elif header.kind == _GLOBAL:
            stream.skip_to(stream.position + _padded(header.size), header.name)
        else:
            return False
        return True

    def _content(self, header: _Header, stream: _Stream, limit: int, what: str) -> bytes | None:
        end = stream.position + _padded(header.size)
        content = stream.read(header.size, f"a {what}") if header.size <= limit else None
        if content is None:
            allowed = f"{limit // MIB} MiB" if limit >= MIB else f"{limit // KIB} KiB"
            self.problem = f"its {what} takes {header.size:,} bytes: expected at most {allowed}"
        stream.skip_to(end, f"a {what}")
        return content


def _member(header: _Header, notes: _Notes, stream: _Stream) -> TarMember:
    """The regular file after a header."""
    name, size = notes.name or header.name, header.size_with(notes)
    content = io.BufferedReader(_Content(stream, size, name))
    member = TarMember(name, size, content, stream.position, notes.problem)
    try:
        if header.kind == _SPARSE:
            pieces = _old_map(header, stream, name)
            member.content_at = stream.position
            _expand(member, _number(header.block[483:495]), pieces)
        elif "GNU.sparse.major" in notes.records or "GNU.sparse.map" in notes.records:
            _expand_extended(member, notes.records)
        elif any(key.startswith("GNU.sparse.") for key in notes.records):
            raise ValueError("its map is of a kind that is not read: pack it without --sparse")
    except ValueError as exc:
        member.sparse, member.problem = True, f"it is stored with holes: {exc}"
    return member


# Sparse members


def _old_map(header: _Header, stream: _Stream, name: str) -> list[Piece]:
    """The map of GNU's own format: in the header, and in blocks that follow it."""
    pieces, block, first, entries, more = [], header.block, 386, 4, 482
    start = stream.position
    while True:
        for at in range(first, first + 24 * entries, 24):
            offset, size = _number(block[at : at + 12]), _number(block[at + 12 : at + 24])
            if offset is None or size is None:
                raise ValueError("its map is damaged")
            if size:
                pieces.append((offset, size))
        if not block[more]:
            return pieces
        if stream.position - start > MAX_TAR_HEADER_BYTES:
            raise ValueError("its map is too long")
        block, first, entries, more = stream.read(BLOCK_BYTES, name), 0, 21, 504


def _expand_extended(member: TarMember, records: Mapping[str, str]) -> None:
    member.name = records.get("GNU.sparse.name", member.name)
    real = records.get("GNU.sparse.realsize", records.get("GNU.sparse.size", ""))
    if "GNU.sparse.map" in records:
        numbers = [_decimal(number) for number in records["GNU.sparse.map"].split(",")]
    else:
        numbers = _leading_map(member.content)
    _expand(member, _decimal(real), list(zip(numbers[::2], numbers[1::2], strict=True)))


def _leading_map(content: BinaryIO) -> list[int]:
    """The map of pax format 1.0: decimal lines at the start of the content, padded to a block."""
    lines: list[bytes] = []
    read = 0
    count = 1
    while len(lines) < count:
        line = content.readline(32)
        read += len(line)
        lines.append(line)
        if len(lines) == 1:
            count = 2 * _decimal(line.decode("ascii", "replace").strip()) + 1
        if read > MAX_TAR_HEADER_BYTES or not line.endswith(b"\n"):
            raise ValueError("its map is too long")
    content.read(-read % BLOCK_BYTES)
    return [_decimal(line.decode("ascii", "replace").strip()) for line in lines[1:]]


def _decimal(text: str) -> int:
    if not text.isdecimal() or len(text) > 20:
        raise ValueError("its map is damaged")
    return int(text)


def _expand(member: TarMember, size: int | None, pieces: list[Piece]) -> None:
    """Make the content of a member what it was before it was stored without its holes."""
    end = 0
    for offset, length in pieces:
        if offset < end or length < 0:
            raise ValueError("its map is damaged")
        end = offset + length
    if size is None or size < end:
        raise ValueError("its map is damaged")
    member.content = io.BufferedReader(_Expanded(member.content, size, pieces))
    member.size, member.sparse = size, True


class _Content(io.RawIOBase):
    """What is stored of a member; a short file raises :class:`TarError`."""

    def __init__(self, stream: _Stream, size: int, name: str) -> None:
        self._stream = stream
        self._left = size
        self._name = name

    def readinto(self, buffer: Any, /) -> int:
        size = min(len(buffer), self._left)
        buffer[:size] = self._stream.read(size, self._name)
        self._left -= size
        return size

    def readable(self) -> bool:
        return True


class _Expanded(io.RawIOBase):
    """A sparse member with zeros in its holes."""

    def __init__(self, stored: BinaryIO, size: int, pieces: list[Piece]) -> None:
        self._stored = stored
        self._pieces = iter([*pieces, (size, 0)])
        self._start, self._length = next(self._pieces)
        self._position = 0
        self._size = size

    def readinto(self, buffer: Any, /) -> int:
        while self._position >= self._start + self._length and self._position < self._size:
            self._start, self._length = next(self._pieces)
        if self._position >= self._size:
            return 0
        if self._position < self._start:
            size = min(len(buffer), self._start - self._position)
            buffer[:size] = bytes(size)
        else:
            size = min(len(buffer), self._start + self._length - self._position)
            content = self._stored.read(size)
            size = len(content)
            buffer[:size] = content
        self._position += size
        return size

    def readable(self) -> bool:
        return True


# Fields


def _padded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _number(content: bytes) -> int | None:
    """An octal or, if its first bit is set, a binary number; None if it is neither."""
    if content[0] in (0x80, 0xFF):
        return int.from_bytes(content[1:], "big", signed=content[0] == 0xFF)
    digits = content.partition(b"\0")[0].strip()
    try:
        return int(digits or b"0", 8)
    except ValueError:
        return None


def _text(content: bytes) -> str:
    return content.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _records(content: bytes) -> dict[str, str]:
    """The records of an extended header: ``LENGTH NAME=VALUE`` and a line end each."""
    records: dict[str, str] = {}
    at = 0
    while (match := _RECORD.match(content, at)) is not None and int(match.group(1)):
        end = at + int(match.group(1))
        value = content[match.end() : end - 1]
        name = match.group(2).decode("utf-8", "surrogateescape")
        records[name] = value.decode("utf-8", "surrogateescape")
        at = end
    return records
