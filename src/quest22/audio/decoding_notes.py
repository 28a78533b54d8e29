"""Which clips are being decoded, in a small file that survives the death of the process.

Foreign media can crash the libraries that decode them, and the process with them. The next process
finds the clips that were being decoded when the last one died, the suspects, and knows them until
the run has finished. A note costs two system calls for 20 s of sound. Knows no decoder.

The file holds rows of 32 bytes: a head, a row for each thread, the clips that were decoded last,
and the suspects. A clip is a digest of its origin and key: names and addresses stay out of it.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quest22.errors import SinkError
from quest22.records import Clip
from quest22.system.private_files import write_private

ROW_BYTES = 32
NOBODY = bytes(ROW_BYTES)
HEAD = b"quest22 decoding notes 1"
THREADS = 256
RECENT = 32
SUSPECTS = 2048
ROWS = 1 + THREADS + RECENT + SUSPECTS
"""66 kB."""


class DecodingNotes:
    """The notes of a run at ``path``; safe to use from several threads.

    If the last process left some, the clips that it was decoding become suspects. If the one before
    it did too, so do the clips that were decoded last: what damages the memory may be noticed
    later. Raises :class:`quest22.errors.SinkError` if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            if not path.exists() or path.stat().st_size != ROWS * ROW_BYTES:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_private(path, HEAD.ljust(ROW_BYTES, b"\0") + bytes((ROWS - 1) * ROW_BYTES))
            self._file = path.open("r+b", buffering=0)
        except OSError as exc:
            raise SinkError(f"cannot write {path}: {exc.strerror or exc}") from exc
        weakref.finalize(self, self._file.close)  # a run that is interrupted leaves it to us
        self._lock = threading.Lock()
        self._free = list(range(THREADS))
        self._recent = 0
        self.suspects = self._take_suspects()

    def is_suspect(self, clip: Clip) -> bool:
        """Whether an earlier process died while it decoded this clip."""
        return bool(self.suspects) and digest(clip) in self.suspects

    @contextmanager
    def decoding(self, clip: Clip) -> Iterator[None]:
        """Note that the clip is being decoded, until the block ends in order."""
        with self._lock:
            thread = self._free.pop() if self._free else None
        identity = digest(clip)
        self._note(thread, identity)
        try:
            yield
        except (MemoryError, KeyboardInterrupt, SystemExit):
            raise  # the process ends, perhaps because of this clip: the note stays
        except BaseException:
            self._forget(thread, identity)
            raise
        self._forget(thread, identity)

    def close(self) -> None:
        """Stop. What is noted by then is a decoder that hangs, and stays."""
        with self._lock:
            self._file.close()

    def _note(self, thread: int | None, identity: bytes) -> None:
        with self._lock:
            if thread is not None and not self._file.closed:
                self._set(1 + thread, identity)

    def _forget(self, thread: int | None, identity: bytes) -> None:
        with self._lock:
            if thread is None or self._file.closed:
                return
            self._set(1 + thread, NOBODY)
            self._free.append(thread)
            if self._row(1 + THREADS + (self._recent - 1) % RECENT) != identity:
                self._set(1 + THREADS + self._recent, identity)
                self._recent = (self._recent + 1) % RECENT

    def _take_suspects(self) -> frozenset[bytes]:
        """The suspects of all earlier processes, which are recorded before the notes are erased."""
        first = 1 + THREADS + RECENT
        rows = self._all_rows()
        known, running = _noted(rows[first:]), _noted(rows[1 : 1 + THREADS])
        recent = _noted(rows[1 + THREADS : first]) if running and known else []
        suspects = list(dict.fromkeys([*known, *running, *recent]))[-SUSPECTS:]
        for number, identity in enumerate(suspects):
            self._set(first + number, identity)
        if running:
            self._file.seek(ROW_BYTES)
            self._file.write(bytes((first - 1) * ROW_BYTES))
        return frozenset(suspects)

    def _all_rows(self) -> list[bytes]:
        self._file.seek(0)
        data = self._file.read(ROWS * ROW_BYTES)
        return [data[at : at + ROW_BYTES] for at in range(0, ROWS * ROW_BYTES, ROW_BYTES)]

    def _row(self, number: int) -> bytes:
        self._file.seek(number * ROW_BYTES)
        return self._file.read(ROW_BYTES)

    def _set(self, number: int, row: bytes) -> None:
        with suppress(OSError):  # without notes the run goes on as well
            self._file.seek(number * ROW_BYTES)
            self._file.write(row)


def _noted(rows: list[bytes]) -> list[bytes]:
    return [row for row in rows if row.strip(b"\0")]


def digest(clip: Clip) -> bytes:
    """What identifies a clip of a run, in 32 bytes."""
    origin = clip.origin
    identity = (origin.dataset, origin.file, origin.row, clip.key)
    return hashlib.sha256(repr(identity).encode("utf-8", "backslashreplace")).digest()
