"""A cache of compiled graphs on disk, so that a model starts faster the next time.

Knows files and keys, but not their content. Any number of processes may share one folder: a file
appears complete or not at all, and a removed file stays valid for processes that mapped it.
"""

from __future__ import annotations

import errno
import io
import logging
import mmap
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from quest22.system.atomic_files import publish_file
from quest22.system.mapped_file import map_file, release_pages

HEADER_BYTES = 4096  # a page, so that what follows is aligned for any processor
SUFFIX = ".graph"
UNFINISHED = ".part"
ABANDONED_AFTER_S = 3600.0
_MAGIC = b"quest22 graph 1\n"

_log = logging.getLogger("quest22")


class GraphCache:
    """Files by key in ``folder``, at most ``limit_bytes``; evicts the least recently used."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes

    def load(self, key: str) -> NDArray[np.uint8] | None:
        """The content stored under a key, memory-mapped; None if it is missing or damaged.

        Writing to the array changes memory only, never the file.
        """
        path = self._path(key)
        try:
            mapped = map_file(path, mmap.ACCESS_COPY)
            os.utime(path)
        except (OSError, ValueError):
            return None
        if mapped[:HEADER_BYTES] != _header(len(mapped)):
            self.drop(key)
            return None
        return np.frombuffer(mapped, np.uint8, offset=HEADER_BYTES)

    def store(self, key: str, write: Callable[[io.BytesIO], Any]) -> None:
        """Store what ``write`` writes into a stream; a failure is logged and otherwise ignored."""
        if not self._limit:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._publish(self._path(key), write)
            self._shrink()
        except OSError as error:
            _log.info("the compiled model is not cached in %s: %s", self._folder, error)

    def drop(self, key: str) -> None:
        """Forget a key."""
        with suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{SUFFIX}"

    def _publish(self, path: Path, write: Callable[[io.BytesIO], Any]) -> None:
        """Write a temporary file, sync it, then rename: the last of several writers wins."""
        handle, temporary = tempfile.mkstemp(dir=self._folder, suffix=UNFINISHED)
        try:
            with os.fdopen(handle, "wb") as file:
                file.seek(HEADER_BYTES)
                write(stream := _Stream(file, self._limit))
                if stream.error:
                    raise stream.error
                size = file.seek(0, os.SEEK_END)
                file.seek(0)
                file.write(_header(size))
            publish_file(Path(temporary), path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _shrink(self) -> None:
        """Remove the least recently used until the rest fits."""
        files = []
        for path in self._folder.glob(f"*{SUFFIX}"):
            with suppress(OSError):  # another process was faster
                state = path.stat()
                files.append((state.st_mtime_ns, state.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._limit:
                break
            with suppress(OSError):  # on Windows a mapped file cannot be removed
                path.unlink(missing_ok=True)
            total -= size
        for path in self._folder.glob(f"*{UNFINISHED}"):  # of a process that was killed
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED_AFTER_S:
                    path.unlink()


def release_tensor(content: NDArray[np.uint8]) -> None:
    """Release the memory that :meth:`GraphCache.load` mapped, if the system supports it.

    Pages that are used again are read again; writes to the array are lost.
    """
    base: object = content.base
    mapped = base.obj if isinstance(base, memoryview) else None
    if isinstance(mapped, mmap.mmap):
        release_pages(mapped)


class _Stream(io.BytesIO):
    """A file without its header, as OpenVINO requires it: it can write, seek and tell."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        super().__init__()
        self._file = file
        self._limit = limit
        self.error: OSError | None = None

    def write(self, content: Any) -> int:
        """Remembers errors: OpenVINO's streams swallow them."""
        try:
            if self.tell() + len(content) > self._limit:
                raise OSError(errno.EFBIG, "it exceeds the cache limit")
            return self._file.write(content)
        except OSError as error:
            self.error = error
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        shift = HEADER_BYTES if whence == os.SEEK_SET else 0
        return self._file.seek(offset + shift, whence) - HEADER_BYTES

    def tell(self) -> int:
        return self._file.tell() - HEADER_BYTES

    def flush(self) -> None:
        self._file.flush()


def _header(size: int) -> bytes:
    """The first bytes of a complete file of ``size`` bytes."""
    return (_MAGIC + size.to_bytes(8, "little")).ljust(HEADER_BYTES, b"\0")
