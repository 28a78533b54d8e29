"""Makes streams without random access seekable, in memory or in a temporary file."""

from __future__ import annotations

import io
import tempfile
from contextlib import suppress
from typing import BinaryIO, cast

from quest22.errors import ClipError

SPOOL_LIMIT_BYTES = 8 << 30
_COPY_BYTES = 1 << 20


def spooled(
    stream: BinaryIO, name: str, memory_bytes: int, limit_bytes: int = SPOOL_LIMIT_BYTES
) -> BinaryIO:
    """A seekable copy of a stream: in memory up to ``memory_bytes``, else in a temporary file.

    Raises ClipError (stage ``source``) past the limit.
    """
    copy: BinaryIO = io.BytesIO()
    size = 0
    try:
        while block := stream.read(_COPY_BYTES):
            size += len(block)
            if size > limit_bytes:
                raise ClipError(
                    "source",
                    f"{name} is longer than {limit_bytes / 2**30:g} GiB and cannot be read in "
                    "parts: save it to a file first",
                )
            if isinstance(copy, io.BytesIO) and size > memory_bytes:
                copy = _move_to_disk(copy)
            copy.write(block)
        copy.seek(0)
    except BaseException:
        with suppress(OSError):  # what could not be written is not to be written here either
            copy.close()
        raise
    return copy


class SpooledMedia:
    """Media in a temporary file that is deleted with this object; can be opened once."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._file = spooled(stream, name, memory_bytes=0)
        self.undecoded_bytes = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)

    def __call__(self) -> BinaryIO:
        return self._file

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


def _move_to_disk(copy: io.BytesIO) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- the reader of the copy closes it
    file.write(copy.getvalue())
    return cast("BinaryIO", file)
