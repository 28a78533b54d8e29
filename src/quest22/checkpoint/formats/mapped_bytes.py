"""Reads numbers and names one after the other out of a mapped file, within its end."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.errors import CheckpointError
from quest22.system.mapped_file import map_file, release_pages


class MappedBytes:
    """A memory-mapped file of weights. Reading a part maps only its pages."""

    def __init__(self, path: Path) -> None:
        """Map a file; raises :class:`CheckpointError` where it cannot be read."""
        self.path = path
        try:
            self._mapped = map_file(path)
        except (OSError, ValueError) as exc:
            raise CheckpointError(
                f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}"
            ) from exc
        self.content: NDArray[np.uint8] = np.frombuffer(self._mapped, np.uint8)

    def sample(self, begin: int, end: int, width: int) -> bytes:
        """``width`` bytes from the beginning, the middle and the end of a range."""
        middle = (begin + end - width) // 2
        starts = (begin, max(begin, middle), max(begin, end - width))
        return b"".join(self.content[at : min(at + width, end)].tobytes() for at in starts)

    def release(self) -> None:
        """Release the memory of the pages that were read; they are read again when needed."""
        release_pages(self._mapped)


class ByteReader:
    """A position in little-endian binary data that moves on as values are read.

    Whatever lies beyond the end raises :class:`CheckpointError`, which calls the file ``kind``.
    """

    def __init__(self, content: NDArray[np.uint8], path: Path, kind: str) -> None:
        self.position = 0
        self._content = content
        self._path = path
        self._kind = kind

    @property
    def is_at_end(self) -> bool:
        return self.position >= len(self._content)

    def skip(self, count: int) -> int:
        """Move on by so many bytes; the position before."""
        start = self.position
        if count < 0 or start + count > len(self._content):
            raise self.damaged("it ends too early")
        self.position += count
        return start

    def bytes(self, count: int) -> bytes:
        start = self.skip(count)
        return self._content[start : start + count].tobytes()

    def numbers(self, layout: str) -> tuple[Any, ...]:
        """Values by a :mod:`struct` layout without its byte order, such as ``"3i"``."""
        return struct.unpack(f"<{layout}", self.bytes(struct.calcsize(f"<{layout}")))

    def number(self, layout: str) -> int:
        (value,) = self.numbers(layout)
        return int(value)

    def damaged(self, why: str) -> CheckpointError:
        """The error for a file that is not what it should be."""
        return CheckpointError(
            f"{self._path} is not a whole {self._kind} ({why}): fetch the model again"
        )
