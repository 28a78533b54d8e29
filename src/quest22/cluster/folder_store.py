"""A folder that all workers see: a disk of one machine, NFS, or another shared file system.

What it needs: hard links that fail where the name exists (POSIX, NFS, Lustre, GPFS, CephFS, NTFS),
and, to replace results by ``quest22 retry``, locks (``flock``, on NFS version 4). Objects are made
beside and linked to their names, so nobody sees half of one. On NFS a client may see names and
times late, by default up to a minute: leases should last at least twice as long.
"""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import time
import uuid
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quest22.cluster.ledger import LedgerUnavailableError
from quest22.cluster.object_store import Entry, Stored
from quest22.errors import SinkError
from quest22.settings import RUN_FOLDER
from quest22.system.atomic_files import sync_file, sync_folder
from quest22.system.locks import wait_for_lock

SCRATCH = f"{RUN_FOLDER}/scratch"
LOCK = f"{RUN_FOLDER}/replacing.lock"

LEFTOVER_S = 86_400.0

_LASTING = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTSUP}
)
"""Errors that another try will meet again; others may be a server's that is away."""


class FolderStore:
    """An :class:`quest22.cluster.object_store.ObjectStore` in a folder, created if needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._scratch = folder / SCRATCH

    @property
    def shown(self) -> str:
        return str(self._folder)

    def remove_leftovers(self) -> None:
        """Remove what workers that died long ago did not publish."""
        long_ago = time.time() - LEFTOVER_S
        with _told(self._scratch):
            for path in self._scratch.iterdir() if self._scratch.is_dir() else ():
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < long_ago:
                        path.unlink()

    def create(self, name: str, content: bytes | Path) -> bool:
        target = self._folder / name
        with _told(target):
            if target.exists():
                return False
            with self._partial(content) as partial:
                target.parent.mkdir(parents=True, exist_ok=True)
                created = _link(partial, target)
            if created and isinstance(content, Path):
                sync_folder(target.parent)
            return created

    def write(self, name: str, content: bytes) -> None:
        target = self._folder / name
        with _told(target), self._partial(content) as partial:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(target)

    def replace(self, name: str, content: bytes | Path, version: Hashable) -> bool:
        """A process that stops here holds up the others, and harms nothing when it goes on."""
        target, lock = self._folder / name, self._folder / LOCK
        with _told(target), self._partial(content) as partial:
            lock.parent.mkdir(parents=True, exist_ok=True)
            with lock.open("ab") as file:
                wait_for_lock(file)
                if not target.exists() or _version(target) != version:
                    return False
                partial.replace(target)
                sync_folder(target.parent)
                return True

    def read(self, name: str) -> Stored | None:
        path = self._folder / name
        with _told(path):
            try:
                with path.open("rb") as file:
                    return Stored(file.read(), _version_of(os.fstat(file.fileno())))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def exists(self, name: str) -> bool:
        with _told(self._folder / name):
            return (self._folder / name).exists()

    def holds(self, name: str, path: Path) -> bool:
        target = self._folder / name
        with _told(target):
            return target.exists() and filecmp.cmp(target, path, shallow=False)

    def listing(self, folder: str) -> Iterator[Entry]:
        path = self._folder / folder
        with _told(path):
            try:
                names = [entry.name for entry in os.scandir(path) if not entry.is_dir()]
            except (FileNotFoundError, NotADirectoryError):
                return
        for name in names:
            yield Entry(name, lambda path=path / name: _seen_version(path))  # type: ignore[misc]

    @contextmanager
    def _partial(self, content: bytes | Path) -> Iterator[Path]:
        """A file with the content, outside what is published, that is removed if it still lies."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        partial = self._scratch / uuid.uuid4().hex
        try:
            if isinstance(content, Path):
                shutil.copyfile(content, partial)
                sync_file(partial)
            else:
                partial.write_bytes(content)
            yield partial
        finally:
            partial.unlink(missing_ok=True)


def _link(partial: Path, target: Path) -> bool:
    try:
        os.link(partial, target)
    except FileExistsError:  # on NFS perhaps our own link, if the answer to it was lost
        return partial.stat().st_nlink > 1
    except OSError as exc:
        if exc.errno in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise SinkError(
                f"{target.parent} knows no hard links, which workers need to agree on who does "
                "what: choose a --store on a POSIX file system, NFS or S3"
            ) from exc
        raise
    return True


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Translate file system errors into what workers wait for, and what ends them."""
    try:
        yield
    except OSError as exc:
        reason = exc.strerror or str(exc)
        if exc.errno in _LASTING:
            raise SinkError(
                f"cannot use {path}: {reason}; check the free space and the permissions there"
            ) from exc
        raise LedgerUnavailableError(f"{path}: {reason}") from exc


def _version(path: Path) -> Hashable:
    return _version_of(path.stat())


def _seen_version(path: Path) -> Hashable:
    """The version of a file that may be gone since it was listed."""
    with _told(path):
        return _version(path) if path.exists() else None


def _version_of(status: os.stat_result) -> Hashable:
    return status.st_ino, status.st_size, status.st_mtime_ns
