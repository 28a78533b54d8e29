"""Output files: append, replace, standard output. Knows nothing of transcripts.

Every file system error becomes a one-line :class:`quest22.errors.SinkError`.
"""

from __future__ import annotations

import errno
import os
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from quest22.errors import SinkError
from quest22.protocols import SinkState
from quest22.settings import RUN_FOLDER
from quest22.sink.file_state import FileState, Notes
from quest22.system import WINDOWS
from quest22.system.atomic_files import sync_folder, write_atomically
from quest22.system.private_files import open_private


class Output(Protocol):
    """Takes text, a whole line or document at a time; a crash loses nothing that was written."""

    def write(self, text: str) -> None: ...

    def publish(self) -> SinkState:
        """Make what was written durable; return what a continued file needs to know of it."""
        ...

    def close(self) -> None: ...


_ADVICE = (
    dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space there")
    | dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "check the permissions there")
    | dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "a file is where a folder is expected: move it")
)
"""What may be done about an error of the file system, by its number."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Translate file system errors while ``path`` is written.

    Raises:
        SinkError: The disk is full, the folder is not writable, and the like.
    """
    try:
        yield
    except OSError as exc:
        reason = exc.strerror or str(exc)
        advice = _ADVICE.get(exc.errno or 0, "check the free space and the permissions there")
        raise SinkError(
            f"cannot write {path}: {reason}; {advice}, or choose another --output-dir"
        ) from exc


def encode(text: str) -> bytes:
    r"""UTF-8; a lone surrogate (from an undecodable file name) becomes ``\udcXX``, as in JSON."""
    return text.encode("utf-8", "backslashreplace")


def make_folder(folder: Path) -> None:
    """Create a folder with its parents; raises SinkError if it cannot be made or written to."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "permission denied")


def write_text_atomically(path: Path, text: str) -> None:
    """Write a small file atomically: readers see the old content or the new, never a part."""
    write_bytes_atomically(path, encode(text))


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """The same for bytes."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)


def read_lines(path: Path, size: int) -> Iterator[bytes]:
    """The lines in the first ``size`` bytes of a file that :class:`AppendedFile` wrote.

    Raises :class:`SinkError` if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for line in file:
                size -= len(line)
                if size < 0:
                    return
                yield line
    except OSError as exc:
        raise SinkError(f"cannot read {path}: {exc.strerror or exc}") from exc


def _opened(path: Path, mode: Literal["r+b", "wb"]) -> BinaryIO:
    return open_private(path, mode, 0) if _is_private(path) else path.open(mode, 0)


def _is_private(path: Path) -> bool:
    """Whether a file is one of the run's own, beside the journal or below it."""
    folder = path.parent
    return RUN_FOLDER in (folder.name, folder.name == "hub" and folder.parent.name)


class AppendedFile:
    """A file that grows by whole lines, each passed to the system before ``write`` returns.

    The first line creates it, or ``close`` if there was none. It ends with a whole line even
    after the disk was full. ``published`` continues the file of an earlier process: what lies
    beyond it is cut off. With ``notes`` lines are noted there before they are written. Without
    ``durable``, nothing waits for the disk, for a file that need not survive a power cut.
    """

    def __init__(
        self,
        path: Path,
        published: FileState | int = 0,
        notes: Path | None = None,
        *,
        durable: bool = True,
    ) -> None:
        self._path = path
        self._durable = durable
        self._file: BinaryIO | None = None
        self._state = FileState.known_size(published) if isinstance(published, int) else published
        self._notes = None if notes is None else Notes(notes)
        self._folder_synced = False

    def write(self, text: str) -> None:
        line = encode(text)
        with writing(self._path):
            file = self._open()
            if self._notes is not None:
                self._notes.add(self._state.size, line)
            try:
                self._append(file, line)
            except OSError:
                with suppress(OSError):
                    file.truncate(self._state.size)
                    file.seek(self._state.size)
                raise
        self._state = self._state.after(line)

    def publish(self) -> SinkState:
        """Make what was written durable; return the file's state."""
        if self._file is None or not self._file.closed:
            with writing(self._path):
                self._sync(self._open())
                if self._notes is not None:
                    self._notes.publish(self._state.size)
        return self._state.to_json()

    def close(self) -> None:
        if self._file is not None and self._file.closed:
            return
        with writing(self._path), self._open() as file:
            self._sync(file)
        if self._notes is not None:
            self._notes.close()

    def _sync(self, file: BinaryIO) -> None:
        if not self._durable:
            return
        os.fsync(file.fileno())
        if not self._folder_synced:
            sync_folder(self._path.parent)
            self._folder_synced = True

    def _open(self) -> BinaryIO:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            end = self._state.size
            if end:
                self._check_published()
            file = _opened(self._path, "r+b" if end else "wb")
            if end:
                file.truncate(end)
                file.seek(end)
            weakref.finalize(self, file.close)  # a run that is interrupted leaves it to us
            self._file = file
        return self._file

    def _check_published(self) -> None:
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < self._state.size:
            raise SinkError(
                f"{self._path} has {size} bytes, but the run had written {self._state.size}: "
                "restore the file, or start over with --restart"
            )

    @staticmethod
    def _append(file: BinaryIO, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            rest = rest[file.write(rest) :]


class StandardOutput:
    """Standard output, flushed after each write, so that a reader sees results as they come.

    On a terminal, text goes through ``sys.stdout``, which a live display may have redirected;
    in a pipe or file the bytes are UTF-8 whatever the locale.
    """

    def write(self, text: str) -> None:
        try:
            if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
                sys.stdout.write(text)
            else:
                sys.stdout.buffer.write(encode(text))
            sys.stdout.flush()
        except BrokenPipeError:
            raise  # the reader closed the pipe, which is not an output error
        except OSError as exc:
            if WINDOWS and exc.errno == errno.EINVAL:  # how Windows reports a broken pipe
                raise BrokenPipeError(errno.EPIPE, "the reader has gone") from exc
            raise SinkError(f"cannot write to standard output: {exc.strerror or exc}") from exc

    def publish(self) -> SinkState:
        return {}  # nothing is buffered, and a stream cannot be continued

    def close(self) -> None:
        """Nothing is buffered."""
