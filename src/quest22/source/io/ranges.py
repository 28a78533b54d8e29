"""One file's bytes by their place, whatever holds it: a disk, a web server, a store.

Exactly the bytes asked for travel, patiently. Reads nothing ahead and knows no format.
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

_ANY_BLOCK = 1 << 20


class RangeReader:
    """A file behind a network or on the disk, read by ranges; several threads may read at once.

    Making one opens the file and learns its size. A server that answers no Range requests is read
    from the start to the end once. Errors are the filesystem's own, and
    :class:`quest22.source.io.retry.NetworkError`.
    """

    def __init__(self, address: str, network: RetryingClient) -> None:
        self.name = redact(address)
        self.remote = is_url(address)
        self._address = address
        self._network = network
        self._lock = threading.Lock()
        self._whole: Any = None
        first = self._patient_open()
        self._idle: list[Any] = [first]
        self.size: int = _size_of(first)
        if self.size < 0:  # a stream without a known end
            self.close()
            self._read_whole()

    def fetch(self, start: int, stop: int) -> bytes:
        """The bytes from ``start`` up to, not including, ``stop``."""
        if start >= stop:
            return b""
        if not self.remote or self._whole is not None:
            return self._attempt(start, stop)
        try:
            data = self._network.patiently(lambda: self._attempt(start, stop), self.name)
        except ValueError:  # how fsspec says that the server cannot start in the middle
            self._read_whole()
            return self._attempt(start, stop)
        self._network.received(len(data))
        return data

    def awaited(self) -> AbstractContextManager[None]:
        """To be held while another thread's :meth:`fetch` is waited for."""
        return self._network.metrics.network() if self.remote else nullcontext()

    def close(self) -> None:
        with self._lock:
            files, self._idle = self._idle, []
            if self._whole is not None:
                files.append(self._whole)
        for file in files:
            with suppress(Exception):
                file.close()

    def _attempt(self, start: int, stop: int) -> bytes:
        """One try; a file that failed is opened anew, which also renews what has expired."""
        if self._whole is not None:
            with self._lock:
                self._whole.seek(start)
                return bytes(self._whole.read(stop - start))
        with self._lock:
            file = self._idle.pop() if self._idle else None
        file = file or self._opened()
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

    def _patient_open(self) -> Any:
        if not self.remote:
            return self._opened()
        return self._network.patiently(self._opened, self.name)

    def _opened(self) -> Any:
        if not self.remote:
            return Path(self._address).open("rb")
        filesystem, path = self._network.filesystem_of(self._address, in_ranges=True)
        return filesystem.open(path, "rb", block_size=_ANY_BLOCK, cache_type="none")

    def _read_whole(self) -> None:
        def spool() -> Any:
            filesystem, path = self._network.filesystem_of(self._address)
            with filesystem.open(path, "rb", block_size=0) as answer:
                return spooled(answer, self.name, self._network.settings.spooled_bytes)

        with self._lock:
            if self._whole is None:
                self._whole = self._network.patiently(spool, self.name)
                self.size = self._whole.seek(0, 2)
                self._network.received(self.size)


def _size_of(file: Any) -> int:
    """The size in bytes; −1 where a server does not tell it."""
    if hasattr(file, "size"):
        return -1 if file.size is None else int(file.size)
    return int(file.seek(0, 2))
