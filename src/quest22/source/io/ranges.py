"""Reads byte ranges of one file, wherever it is: a disk, a web server, an object store.

Transfers exactly the requested bytes, with retries, and notices if the file becomes another one.
Does not prefetch.
"""

from __future__ import annotations

import io
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from quest22.source.io.address import is_url, redact
from quest22.source.io.error_kinds import CutOffError, SourceChangedError
from quest22.source.io.file_identity import FileIdentity, changed_message
from quest22.source.io.retry import RetryingClient
from quest22.source.io.spool import spooled
from quest22.source.io.web_file import NoRangesError, WebFile

_BLOCK_BYTES = 1 << 20


class RangeReader:
    """A remote or local file, read by ranges; several threads may read at once.

    The constructor opens the file and gets its size. From a server that does not support Range
    requests the whole file is read once. Raises the filesystem's errors,
    :class:`quest22.source.io.retry.NetworkError`, and
    :class:`quest22.source.io.error_kinds.SourceChangedError` if the file is not what it was when it
    was opened, or, with ``remember``, when the run read it first.
    """

    def __init__(
        self,
        address: str,
        client: RetryingClient,
        *,
        remember: bool = False,
        patient: bool = True,
    ) -> None:
        """``patient``: a file that the run has read is waited for, whatever its server says."""
        known = client.known_files
        name = known.shown.get(address, redact(address))
        self.name = redact(address)
        self.remote = is_url(address)
        self._address = address
        self._client = client
        self._lock = threading.Lock()
        self._whole: Any = None
        self._web: WebFile | None = None
        self._idle: list[Any] = []
        self._opened = False
        self._read_before = remember and patient and name in known.identities
        self.size, self.identity = self._retried(self._open_first)
        self._opened = True
        if remember:
            try:
                known.check(name, self.identity)
            except BaseException:
                self.close()
                raise
        if self.size < 0:  # a stream of unknown length
            self.close()
            self._read_whole()

    @property
    def checksums(self) -> list[Any]:
        """The checksums that the file's server states for all of it."""
        return [each for each in self._web.checksums if each.whole] if self._web else []

    def fetch(self, start: int, stop: int) -> bytes:
        """The bytes from ``start`` up to but not including ``stop``."""
        if start >= stop:
            return b""
        if self._whole is not None:
            return self._read_of_whole(start, stop)
        try:
            data: bytes = self._retried(lambda: self._read_once(start, stop))
        except (NoRangesError, ValueError):  # the latter is how fsspec reports the same
            if not self.remote:
                raise
            self._read_whole()
            return self._read_of_whole(start, stop)
        if self.remote:
            self._client.count_received(len(data))
            self._client.heard_from(self.name)
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

    def _retried(self, action: Any) -> Any:
        if not self.remote:
            return action()
        read_before = self._opened or self._read_before
        return self._client.retry_file(action, self.name, read_before=read_before)

    def _open_first(self) -> tuple[int, FileIdentity]:
        if self._is_web():
            filesystem, url = self._client.filesystem_of(self._address, in_ranges=True)
            self._web = WebFile(filesystem, url, self.name)
            size = self._web.size
            return (-1 if size is None else size), self._web.identity
        file = self._open()
        self._idle.append(file)
        return _size_of(file), self._identity_of(file)

    def _read_once(self, start: int, stop: int) -> bytes:
        """One try; after an error the file is opened again, which also renews expired addresses."""
        if self._web is not None:
            return self._web.fetch(start, stop)
        with self._lock:
            file = self._idle.pop() if self._idle else None
        file = file or self._open()
        try:
            self._check_same(file)
            file.seek(start)
            data: bytes = file.read(stop - start)
            if len(data) != stop - start:
                self._check_same(file)
                raise CutOffError(f"{len(data)} bytes came of {stop - start} asked for")
        except BaseException as exc:
            with suppress(Exception):
                file.close()
            if type(exc).__name__ == "FileExpired":  # how s3fs says so
                raise SourceChangedError(changed_message(self.name, "its store says so")) from exc
            raise
        with self._lock:
            self._idle.append(file)
        return data

    def _read_of_whole(self, start: int, stop: int) -> bytes:
        with self._lock:
            self._whole.seek(start)
            return bytes(self._whole.read(stop - start))

    def _is_web(self) -> bool:
        return self._address.lower().startswith(("http://", "https://"))

    def _open(self) -> Any:
        if not self.remote:
            return Path(self._address).open("rb")
        filesystem, path = self._client.filesystem_of(self._address, in_ranges=True)
        return filesystem.open(path, "rb", block_size=_BLOCK_BYTES, cache_type="none")

    def _identity_of(self, file: Any) -> FileIdentity:
        if not self.remote:
            return FileIdentity.of_local(file.fileno())
        details = getattr(file, "details", None)
        return FileIdentity.of_details(details or {}, _size_of(file))

    def _check_same(self, file: Any) -> None:
        change = self.identity.change_to(self._identity_of(file))
        if change is not None:
            raise SourceChangedError(changed_message(self.name, change))

    def _read_whole(self) -> None:
        def download() -> Any:
            with self._open_whole() as response:
                return spooled(response, self.name, self._client.settings.spooled_bytes)

        with self._lock:
            if self._whole is None:
                self._whole = self._retried(download)
                self.size = self._whole.seek(0, io.SEEK_END)
                self._client.count_received(self.size)

    def _open_whole(self) -> Any:
        filesystem, path = self._client.filesystem_of(self._address)
        if self._web is not None:
            return self._web.open_whole(filesystem)
        return filesystem.open(path, "rb", block_size=0)


def _size_of(file: Any) -> int:
    """The size in bytes; −1 if the server does not state it."""
    if hasattr(file, "size"):
        return -1 if file.size is None else int(file.size)
    return int(file.seek(0, 2))
