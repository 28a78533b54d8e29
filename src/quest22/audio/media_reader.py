"""The bytes of a clip as a file that FFmpeg reads. Knows no format."""

from __future__ import annotations

import errno
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from quest22.errors import ClipError
from quest22.records import Clip

INVALID = -errno.EINVAL
"""What FFmpeg is told of a place that cannot be."""


class MediaReader:
    """A binary file that remembers errors and how long reading took.

    FFmpeg treats a failed read as the end of the file, which would hide a network error. Positions
    count from ``base``, which may be set to where another file begins inside this one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.base = 0
        self.error: Exception | None = None
        self.seconds = 0.0
        self.bytes = 0
        self._size: int | None = None

    def read(self, size: int = -1) -> bytes:
        if self.error is not None:
            return b""  # FFmpeg asks on; PyAV keeps one exception and prints the others
        begun_s = time.perf_counter()
        try:
            data = self._file.read(size)
        except Exception as exc:
            self.error = exc
            raise
        finally:
            self.seconds += time.perf_counter() - begun_s
        self.bytes += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; a negative number if it cannot be one.

        A damaged file leads FFmpeg there: that is no error of reading.
        """
        if whence == 0:
            offset += self.base
            if offset < self.base:
                return INVALID
        if self.error is not None:
            return INVALID
        try:
            at = self._file.seek(offset, whence)
        except (ValueError, OverflowError):  # before the start, or beyond all numbers
            return INVALID
        except Exception as exc:
            if getattr(exc, "errno", None) in (errno.EINVAL, errno.EOVERFLOW):
                return INVALID  # no file can be so large
            self.error = exc
            raise
        if whence == 2:
            self._size = at - offset
        return at - self.base

    def size(self) -> int:
        """The bytes from ``base`` to the end; a file that has been asked before is not moved."""
        if self._size is None:
            at = self.tell()
            self.seek(0, 2)
            self.seek(at)
        return (self._size or 0) - self.base

    def seek_absolute(self, offset: int) -> None:
        """Go to a place in the whole file."""
        self.seek(offset - self.base)

    def check(self) -> None:
        """Raise the error of an earlier read as a ClipError of stage ``source``."""
        if self.error is not None:
            message = f"reading the file failed: {one_line(self.error)}"
            raise ClipError("source", message) from self.error

    def tell(self) -> int:
        return self._file.tell() - self.base

    def seekable(self) -> bool:
        return self._file.seekable()

    def close(self) -> None:
        self._file.close()


def open_reader(clip: Clip) -> MediaReader:
    """Open the clip's bytes; raises ClipError (stage ``source``) if that fails."""
    media = clip.media
    try:
        if isinstance(media, bytes):
            return MediaReader(io.BytesIO(media))
        if isinstance(media, Path):
            return MediaReader(media.open("rb"))
        return MediaReader(media())  # type: ignore[operator]
    except ClipError:
        raise
    except Exception as exc:
        raise ClipError("source", f"the file cannot be opened: {one_line(exc)}") from exc


def one_line(exc: BaseException) -> str:
    """The message of an exception in one line, never empty."""
    text = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    return " ".join(str(text).split())


@contextmanager
def source_errors(reader: MediaReader) -> Iterator[None]:
    """Raise errors of reading bytes as such, not as the decoding errors they cause."""
    try:
        yield
    except Exception:
        reader.check()
        raise
    reader.check()
