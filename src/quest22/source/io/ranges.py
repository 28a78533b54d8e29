"""Reads byte ranges of one file, wherever it is: a disk, a web server, an object store.

Transfers exactly the requested bytes, with retries. Does not prefetch.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from quest22.source.io.address import is_url, redact
from quest22.source.io.error_kinds import CutOffError
from quest22.source.io.retry import RetryingClient
from quest22.source.io.spool import spooled

_BLOCK_BYTES = 1 << 20


class RangeReader:
    """A remote or local file, read by ranges; several threads may read at once.

    The constructor opens the file and gets its size. From a server that does not support Range
    requests the whole file is read once. Raises the filesystem's errors and
    :class:`quest22.source.io.retry.NetworkError`.
    """

    def __init__(self, address: str, client: RetryingClient) -> None:
        self.name = redact(address)
        self.remote = is_url(address)
        self._address = address
        self._client = client
        self._lock = threading.Lock()
        self._whole: Any = None
        first = self._open_with_retries()
        self._idle: list[Any] = [first]
        self.size: int = _size_of(first)
        if self.size < 0:  # a stream of unknown length
            self.close()
            self._read_whole()

    def fetch(self, start: int, stop: int) -> bytes:
        """The bytes from ``start`` up to but not including ``stop``."""
        if start >= stop:
            return b""
        if not self.remote or self._whole is not None:
            return self._read_once(start, stop)
        try:
            data = self._client.retry(lambda: self._read_once(start, stop), self.name)
        except ValueError:  # how fsspec reports a server without Range requests
            self._read_whole()
            return self._read_once(start, stop)
        self._client.count_received(len(data))
        return data

    def network_wait(self) -> AbstractContextManager[None]:
        """Hold this while waiting for another thread's :meth:`fetch`: counts as network time."""
        return self._client.metrics.network_wait() if self.remote else nullcontext()

    def close(self) -> None:
        with self._lock:
            files, self._idle = self._idle, []
            if self._whole is not None:
                files.append(self._whole)
        for file in files:
            with suppress(Exception):
                file.close()

    def _read_once(self, start: int, stop: int) -> bytes:
        """One try; after an error the file is opened again, which also renews expired addresses."""
        if self._whole is not None:
            with self._lock:
                self._whole.seek(start)
                return bytes(self._whole.read(stop - start))
        with self._lock:
            file = self._idle.pop() if self._idle else None
        file = file or self._open()
        try:
            file.seek(start)
            data: bytes = file.read(stop - start)
            if len(data) != stop - start:
                raise CutOffError(f"{len(data)} bytes came of {stop - start} asked for")
        except BaseException:
            with suppress(Exception):
                file.close()
            raise
        with self._lock:
            self._idle.append(file)
        return data

    def _open_with_retries(self) -> Any:
        if not self.remote:
            return self._open()
        return self._client.retry(self._open, self.name)

    def _open(self) -> Any:
        if not self.remote:
            return Path(self._address).open("rb")
        filesystem, path = self._client.filesystem_of(self._address, in_ranges=True)
        return filesystem.open(path, "rb", block_size=_BLOCK_BYTES, cache_type="none")

    def _read_whole(self) -> None:
        def download() -> Any:
            filesystem, path = self._client.filesystem_of(self._address)
            with filesystem.open(path, "rb", block_size=0) as response:
                return spooled(response, self.name, self._client.settings.spooled_bytes)

        with self._lock:
            if self._whole is None:
                self._whole = self._client.retry(download, self.name)
                self.size = self._whole.seek(0, 2)
                self._client.count_received(self.size)


def _size_of(file: Any) -> int:
    """The size in bytes; −1 if the server does not state it."""
    if hasattr(file, "size"):
        return -1 if file.size is None else int(file.size)
    return int(file.seek(0, 2))
