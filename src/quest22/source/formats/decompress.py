"""Decompresses files from start to end: gzip, bzip2, xz and Zstandard.

Each holds a buffer and its window, however much a file unpacks to. Knows no formats of rows.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from typing import Any, BinaryIO, cast

from quest22.source.limits import MAX_XZ_BYTES

BUFFER_BYTES = 256 << 10


def decompressed(file: BinaryIO, name: str) -> BinaryIO:
    """The content of a file as its lower-case name says; the file itself if it is plain."""
    raw: Any = None
    if name.endswith((".gz", ".tgz")):
        raw = gzip.GzipFile(fileobj=file)
    elif name.endswith(".bz2"):
        raw = bz2.BZ2File(file)
    elif name.endswith(".xz"):
        raw = _XzFile(file)
    elif name.endswith(".zst"):
        raw = _ZstandardFile(file)
    return file if raw is None else io.BufferedReader(cast("io.RawIOBase", raw), BUFFER_BYTES)


class _XzFile(io.RawIOBase):
    """Reads xz; :class:`lzma.LZMAFile` would take as much memory as a header asks for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begin()

    def readinto(self, buffer: Any, /) -> int:
        while True:
            packed = b""
            if self._unpacker.eof:
                packed = (self._unpacker.unused_data or self._file.read(BUFFER_BYTES)).lstrip(b"\0")
                if not packed:
                    return 0
                self._begin()
            elif self._unpacker.needs_input:
                packed = self._file.read(BUFFER_BYTES)
                if not packed:
                    raise EOFError("the file breaks off inside its compressed data")
            content = self._unpacker.decompress(packed, len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)

    def readable(self) -> bool:
        return True

    def _begin(self) -> None:
        self._unpacker = lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=MAX_XZ_BYTES)


class _ZstandardFile(io.RawIOBase):
    """Reads Zstandard, whose window pyarrow limits to 128 MiB."""

    def __init__(self, file: BinaryIO) -> None:
        import pyarrow as pa

        self._stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")

    def readinto(self, buffer: Any, /) -> int:
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def readable(self) -> bool:
        return True
