"""A file around another, which changes or checks what is read and leaves places to it."""

from __future__ import annotations

import io
from typing import Protocol


class SeekableFile(Protocol):
    """A binary file with random access."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int = ..., /) -> int: ...

    def tell(self) -> int: ...


class WrappedFile(io.RawIOBase):
    """Reads from ``file``, whose position is its own; subclasses say how."""

    def __init__(self, file: SeekableFile) -> None:
        self._file = file

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
