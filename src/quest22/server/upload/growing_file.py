"""A recording that still arrives, as a file: whoever reads what has not come yet waits for it."""

from __future__ import annotations

import io
import threading
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from starlette.concurrency import run_in_threadpool

MEMORY_BYTES = 1 << 20
"""Recordings up to this size never touch the disk."""


class GrowingFile:
    """Bytes that are added at the end, and read from any place, by any thread.

    They lie in memory, larger ones in a temporary file without a name. ``expected_bytes`` is how
    many there will be at most, if the sender says so. ``open`` is a :data:`quest22.records.Media`.
    """

    def __init__(self, expected_bytes: int | None = None) -> None:
        self.expected_bytes = expected_bytes
        self._changed = threading.Condition()
        self._bytes: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(  # noqa: SIM115 -- close()
            max_size=MEMORY_BYTES
        )
        self._size = 0
        self._complete = False
        self._error: OSError | None = None

    @property
    def size(self) -> int:
        """How many bytes have come."""
        return self._size

    @property
    def complete(self) -> bool:
        """Whether all have come."""
        return self._complete

    async def add(self, data: bytes) -> None:
        """The next bytes. The disk is waited for in another thread."""
        if self._size + len(data) <= MEMORY_BYTES:
            self.write(data)
        else:
            await run_in_threadpool(self.write, data)

    def write(self, data: bytes) -> None:
        """The same, at once."""
        with self._changed:
            self._bytes.seek(self._size)
            self._bytes.write(data)
            self._size += len(data)
            self._changed.notify_all()

    def finish(self) -> None:
        """That was all."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()

    def close(self) -> None:
        """Free the bytes; whoever reads gets an error."""
        with self._changed:
            if self._error is None:
                self._error = OSError("the upload has ended")
                self._bytes.close()
            self._changed.notify_all()

    def open(self) -> BinaryIO:
        """All of it from its beginning, as a file of its own."""
        return cast("BinaryIO", _View(self))

    def read_at(self, place: int, size: int) -> bytes:
        """Wait for so many bytes from a place on, or for the end; a negative size means that."""
        with self._changed:
            self._wait(None if size < 0 else place + size)
            self._bytes.seek(place)
            return self._bytes.read(max(self._size - place, 0) if size < 0 else size)

    def end(self) -> int:
        """How long the whole is: as expected, if it has not all come; else that is waited for."""
        with self._changed:
            if self.expected_bytes is None or self._complete:
                self._wait(None)
                return self._size
            return max(self.expected_bytes, self._size)

    def _wait(self, size: int | None) -> None:
        """Until so many bytes have come, or all."""
        self._changed.wait_for(
            lambda: self._error or self._complete or (size is not None and self._size >= size)
        )
        if self._error is not None:
            raise self._error


class _View(io.RawIOBase):
    """A position in a growing file.

    ``seekable`` is false while bytes are missing: formats whose readers look at the end of a file
    first are read forward instead. ``seek`` works all the same, and reading waits.
    """

    def __init__(self, file: GrowingFile) -> None:
        self._file = file
        self._place = 0

    def read(self, size: int | None = -1) -> bytes:
        data = self._file.read_at(self._place, -1 if size is None else size)
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        begin = self._file.end() if whence == io.SEEK_END else (0, self._place)[whence]
        if begin + offset < 0:
            raise ValueError("a place before the beginning")
        self._place = begin + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.complete
