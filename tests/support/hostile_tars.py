"""Tars that are hard to read: holes, names and headers of any length, sizes that lie."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from tests.support.corpora import wav_bytes

MIB = 1 << 20
_COPY = 8 * MIB


@contextmanager
def gzipped_tar(path: Path) -> Iterator[BinaryIO]:
    """A .tar.gz to write blocks into; the mark of its end is added."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        yield cast("BinaryIO", file)
        file.write(bytes(1024))


def add(file: BinaryIO, name: str, content: bytes) -> None:
    """A usual member."""
    file.write(header(name, len(content)))
    file.write(content + bytes(-len(content) % 512))


def add_sound(file: BinaryIO, key: str) -> None:
    """A row: ``key.wav`` and ``key.txt``."""
    add(file, f"{key}.wav", wav_bytes())
    add(file, f"{key}.txt", key.encode())


def add_zeros(file: BinaryIO, name: str, size: int, kind: bytes = tarfile.REGTYPE) -> None:
    """A member of ``size`` zeros; of another ``kind``: a long name, an extended header."""
    file.write(header(name, size, kind))
    write_zeros(file, size + -size % 512)


def write_zeros(file: BinaryIO, size: int, byte: bytes = b"\0") -> None:
    block = byte * _COPY
    while size > 0:
        file.write(block[: min(size, _COPY)])
        size -= _COPY


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A member's header, in GNU's format for sizes beyond octal."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def sparse_header(name: str, size: int, pieces: list[tuple[int, int]]) -> bytes:
    """The header of a member stored with holes, in GNU's old format; at most four pieces."""
    stored = sum(length for _, length in pieces)
    block = bytearray(header(name, stored, tarfile.GNUTYPE_SPARSE))
    for number in range(4):
        offset, length = pieces[number] if number < len(pieces) else (0, 0)
        at = 386 + 24 * number
        block[at : at + 24] = _octal(offset) + _octal(length)
    block[483:495] = _octal(size)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _octal(number: int) -> bytes:
    if number >= 8**11:
        return b"\x80" + number.to_bytes(11, "big")
    return b"%011o\0" % number


def extended(records: dict[str, str]) -> bytes:
    """An extended header as it precedes a member."""
    lines = b""
    for key, value in records.items():
        rest = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length += 1
        lines += str(length).encode() + rest
    return header("pax", len(lines), tarfile.XHDTYPE) + lines + bytes(-len(lines) % 512)


def plain_tar(*parts: bytes) -> io.BytesIO:
    """Parts joined, with the mark of the end."""
    return io.BytesIO(b"".join(parts) + bytes(1024))


def member(name: str, content: bytes) -> bytes:
    """A usual member as bytes."""
    return header(name, len(content)) + content + bytes(-len(content) % 512)
