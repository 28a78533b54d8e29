"""A data file that is read once, from its start to its end. Knows no formats."""

from __future__ import annotations

import io
from typing import Any

from quest22.source.io.checksums import Checksum
from quest22.source.io.error_kinds import SourceChangedError
from quest22.source.io.prefetch import PrefetchedFile, Prefetcher, split_spans
from quest22.source.io.ranges import RangeReader


class SequentialBytes(io.RawIOBase):
    """The bytes of a file in order, fetched ahead.

    Raises what :class:`quest22.source.io.ranges.RangeReader` raises, and at the end
    SourceChangedError if the file does not have the checksum that its server states.
    """

    def __init__(self, reader: RangeReader, prefetcher: Prefetcher, range_bytes: int) -> None:
        super().__init__()
        self.name = reader.name
        self._reader = reader
        self._range_bytes = range_bytes
        self._file = PrefetchedFile(reader, prefetcher)
        self._position = 0
        self._checksum: Checksum | None = next(iter(reader.checksums), None)
        self._hasher: Any = self._checksum and self._checksum.hasher()

    def prefetch(self) -> None:
        """Start fetching."""
        span = (self._position, self._reader.size)
        self._file.plan(split_spans([span], self._range_bytes))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = self._file.readinto(buffer)
        self._position += count
        if self._hasher is not None:
            self._hasher.update(memoryview(buffer).cast("B")[:count])
            self._check_at_end()
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _check_at_end(self) -> None:
        if self._checksum is None or self._position < self._reader.size:
            return
        if self._hasher.digest() != self._checksum.digest:
            raise SourceChangedError(
                f"{self.name}: its bytes do not have the {self._checksum.algorithm} that its "
                "server states, so what was transcribed from it may be wrong: start over with "
                "--restart"
            )
