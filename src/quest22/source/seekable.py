"""Sound that comes from afar or goes forward only, as a seekable file. Knows no addresses."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from quest22.errors import ClipError
from quest22.source.faults import passing, reason_of

READ_AHEAD_BYTES = 1 << 20
SPOOL_MEMORY_BYTES = 16 << 20
SPOOL_LIMIT_BYTES = 8 << 30
OPEN_TRIES = 3
READ_TRIES = 6
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
_COPY_BYTES = 1 << 20


def spooled(stream: BinaryIO, name: str, limit_bytes: int = SPOOL_LIMIT_BYTES) -> BinaryIO:
    """A seekable copy of a stream: in memory while small, else in a file without a name.

    Raises ClipError (stage ``source``) past the limit.
    """
    copy: BinaryIO = io.BytesIO()
    size = 0
    while block := stream.read(_COPY_BYTES):
        size += len(block)
        if size > limit_bytes:
            copy.close()
            raise ClipError(
                "source",
                f"{name} is longer than {limit_bytes / 2**30:g} GiB and cannot be read in parts: "
                "save it to a file first",
            )
        if isinstance(copy, io.BytesIO) and size > SPOOL_MEMORY_BYTES:
            copy = _moved_to_disk(copy)
        copy.write(block)
    copy.seek(0)
    return copy


def _moved_to_disk(copy: io.BytesIO) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- whoever reads the copy closes it
    file.write(copy.getvalue())
    return cast("BinaryIO", file)


class RemoteFile(io.RawIOBase):
    """A file behind a network, read in parts; a lost connection is tried again with back-off.

    From a server that answers no Range requests the whole file is fetched at the first seek.
    Reading raises ClipError (stage ``source``).
    """

    def __init__(
        self,
        filesystem: Any,
        path: str,
        name: str,
        pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        super().__init__()
        self._pause_s = pause_s
        self._filesystem = filesystem
        self._path = path
        self._name = name
        self._whole = False
        self._file: Any = io.BytesIO()  # what is closed if nothing can be opened
        self._file = self._patiently(
            lambda: filesystem.open(path, "rb", block_size=READ_AHEAD_BYTES), OPEN_TRIES
        )

    def readinto(self, buffer: Any, /) -> int:
        data = self._patiently(lambda: self._anywhere(lambda: self._file.read(len(buffer))))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        place = self._patiently(lambda: self._anywhere(lambda: self._file.seek(offset, whence)))
        return cast("int", place)

    def tell(self) -> int:
        return cast("int", self._file.tell())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _patiently(self, action: Callable[[], Any], tries: int = READ_TRIES) -> Any:
        try:
            return action()
        except ClipError:
            raise
        except Exception as exc:
            if tries <= 1 or not passing(exc):
                raise ClipError("source", reason_of(exc, self._name)) from exc
        time.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return self._patiently(action, tries - 1)

    def _anywhere(self, action: Callable[[], Any]) -> Any:
        """Do it on the parts; where the server gives none, on the whole file."""
        try:
            return action()
        except ValueError:  # how fsspec says that the server cannot start in the middle
            if self._whole or self._file.closed:
                raise
        place = self._file.tell()
        self._file.close()
        with self._filesystem.open(self._path, "rb", block_size=0) as answer:
            self._file = spooled(answer, self._name)
        self._whole = True
        self._file.seek(place)
        return action()
