"""Data files that are read from the start to the end: opened, fetched ahead, decompressed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from contextlib import suppress
from typing import BinaryIO, cast

from quest22.source.io.prefetch import PrefetchedFile, Prefetcher, split_spans
from quest22.source.io.ranges import RangeReader
from quest22.source.io.retry import RetryingClient

COMPRESSED = (".gz", ".tgz", ".bz2", ".xz")
BUFFER_BYTES = 256 << 10


class ForwardFile:
    """One data file as a stream of bytes; :meth:`fetch` begins to fetch it ahead."""

    def __init__(self, address: str, network: RetryingClient, ahead: Prefetcher) -> None:
        reader = RangeReader(address, network)
        self._file = PrefetchedFile(reader, ahead)
        self.name = reader.name
        self._size = reader.size
        self._range_bytes = network.settings.range_bytes
        plain = io.BufferedReader(self._file, BUFFER_BYTES)
        self._opened: list[BinaryIO] = [plain]
        self.bytes = _decompressed(plain, address.partition("?")[0].lower())
        self._opened.append(self.bytes)

    def fetch(self) -> None:
        """Begin to fetch the whole file, in its order."""
        self._file.plan(split_spans([(0, self._size)], self._range_bytes))

    def close(self) -> None:
        for file in reversed(self._opened):
            with suppress(OSError, EOFError):
                file.close()


def _decompressed(file: BinaryIO, name: str) -> BinaryIO:
    if name.endswith((".gz", ".tgz")):
        return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=file)), BUFFER_BYTES)
    if name.endswith(".bz2"):
        return io.BufferedReader(cast("io.RawIOBase", bz2.BZ2File(file)), BUFFER_BYTES)
    if name.endswith(".xz"):
        return io.BufferedReader(cast("io.RawIOBase", lzma.LZMAFile(file)), BUFFER_BYTES)
    return file
