"""A file that is still being uploaded; reading beyond the received bytes waits for them."""

from __future__ import annotations

import io
import threading
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from starlette.concurrency import run_in_threadpool

from quest22.server.upload.temporary_space import TemporarySpace

MEMORY_BYTES = 1 << 20
"""Recordings up to this size stay in memory."""


class GrowingFile:
    """Bytes that are appended, and read from any position, by any thread.

    They are kept in memory, or if there are many, in an unnamed temporary file, which is counted
    in ``space``. ``expected_bytes`` is an upper limit of the size, if known. Raises
    :class:`Refusal` if that does not fit. ``open`` is a :data:`quest22.records.Media`.
    """

    def __init__(self, space: TemporarySpace, expected_bytes: int | None = None) -> None:
        if expected_bytes is not None and expected_bytes > MEMORY_BYTES:
            space.check(expected_bytes)
        self.expected_bytes = expected_bytes
        self._space = space
        self._on_disk_bytes = 0
        self._changed = threading.Condition()
        self._bytes: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(  # noqa: SIM115 -- close()
            max_size=MEMORY_BYTES
        )
        self._size = 0
        self._complete = False
        self._error: OSError | None = None

    @property
    def size(self) -> int:
        """How many bytes have arrived."""
        return self._size

    @property
    def complete(self) -> bool:
        """Whether all bytes have arrived."""
        return self._complete

    async def add(self, data: bytes) -> None:
        """Append bytes; disk writes happen in another thread. Raises as :meth:`write` does."""
        if self._size + len(data) <= MEMORY_BYTES:
            self.write(data)
        else:
            await run_in_threadpool(self.write, data)

    def write(self, data: bytes) -> None:
        """Append bytes in this thread; raises :class:`Refusal` if the disk has no room."""
        with self._changed:
            size = self._size + len(data)
            if size > MEMORY_BYTES:
                self._space.take(size - self._on_disk_bytes)
                self._on_disk_bytes = size
            try:
                self._bytes.seek(self._size)
                self._bytes.write(data)
            except OSError as exc:
                raise self._space.disk_failed(exc) from exc
            self._size = size
            self._changed.notify_all()

    def finish(self) -> None:
        """Mark the end."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()

    def close(self) -> None:
        """Free the bytes; readers get an error."""
        with self._changed:
            if self._error is None:
                self._error = OSError("the upload has ended")
                with suppress(OSError):  # what could not be written is not written now either
                    self._bytes.close()
                self._space.give_back(self._on_disk_bytes)
            self._changed.notify_all()

    def open(self) -> BinaryIO:
        """A binary file, positioned at the start; each caller gets its own."""
        return cast("BinaryIO", _View(self))

    def read_at(self, place: int, size: int) -> bytes:
        """Read ``size`` bytes at ``place``, waiting for them; negative: wait for the end."""
        with self._changed:
            self._wait(None if size < 0 else place + size)
            self._bytes.seek(place)
            return self._bytes.read(max(self._size - place, 0) if size < 0 else size)

    def end(self) -> int:
        """The size of the whole file: the expected size, if known; otherwise waits for the end."""
        with self._changed:
            if self.expected_bytes is None or self._complete:
                self._wait(None)
                return self._size
            return max(self.expected_bytes, self._size)

    def _wait(self, size: int | None) -> None:
        """Wait until ``size`` bytes have arrived, or all."""
        self._changed.wait_for(
            lambda: self._error or self._complete or (size is not None and self._size >= size)
        )
        if self._error is not None:
            raise self._error


class _View(io.RawIOBase):
    """A position in a growing file.

    ``seekable`` is False while bytes are missing, so that readers that would look at the end of the
    file first read it forward instead. ``seek`` works all the same, and reading waits.
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
            raise ValueError("negative position")
        self._place = begin + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.complete
