"""Which clips are being decoded, in a small file that survives the death of the process.

Foreign media can crash the libraries that decode them, and the process with them. The next process
finds the clips that were being decoded when the last one crashed, the suspects, and knows them
until the run has finished. A note costs two system calls for 20 s of sound. Knows no decoder.

The file holds rows of 32 bytes: a head, a row for each thread, the clips that were decoded last,
those that were being decoded when a process was killed, and the suspects. A clip is a digest of its
origin and key, so that names and addresses stay out of it, and a count. Behind the rows, Python
writes where it crashed; whoever kills a process leaves no such trace.
"""

from __future__ import annotations

import faulthandler
import hashlib
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from quest22.errors import SinkError
from quest22.records import Clip
from quest22.system.private_files import write_private

ROW_BYTES = 32
NOBODY = bytes(ROW_BYTES)
HEAD = b"quest22 decoding notes 1".ljust(ROW_BYTES, b"\0")

THREADS = range(1, 257)
RECENT = range(257, 289)
KILLED = range(289, 545)
SUSPECTS = range(545, 2593)
SIZE = SUSPECTS.stop * ROW_BYTES
"""83 kB."""

MOST_KILLS = 3
"""A clip that is being decoded so many times in a row when the process is killed is suspect too:
it may take all memory, or never end."""

HUNG = b"still decoding at the end\n"


class DecodingNotes:
    """The notes of a run at ``path``; safe to use from several threads.

    If the last process crashed, the clips that it was decoding become suspects. If the one before
    it did too, so do the clips that were decoded last: what damages the memory may be noticed
    later. Raises :class:`quest22.errors.SinkError` if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            if not path.exists() or path.stat().st_size < SIZE:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_private(path, HEAD.ljust(SIZE, b"\0"))
            self._file = path.open("r+b", buffering=0)
            self._trace = path.open("ab", buffering=0)
        except OSError as exc:
            raise SinkError(f"cannot write {path}: {exc.strerror or exc}") from exc
        self._lock = threading.Lock()
        self._free = list(THREADS)
        self._recent = 0
        self.suspects = self._find_suspects()
        self._traces = not faulthandler.is_enabled()
        if self._traces:
            faulthandler.enable(self._trace, all_threads=False)
        # a run that is interrupted leaves it to us
        weakref.finalize(self, _release, self._file, self._trace, traces=self._traces)

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
        """Stop. What is noted by then is a decoder that hangs, or was one too many: a suspect."""
        with self._lock:
            if self._file.closed:
                return
            if self._noted(THREADS):
                with suppress(OSError):
                    self._trace.write(HUNG)
            _release(self._file, self._trace, traces=self._traces)

    def _note(self, thread: int | None, identity: bytes) -> None:
        with self._lock:
            if thread is not None and not self._file.closed:
                self._set(thread, identity)

    def _forget(self, thread: int | None, identity: bytes) -> None:
        with self._lock:
            if thread is None or self._file.closed:
                return
            self._set(thread, NOBODY[:-1])
            self._free.append(thread)
            if self._row(RECENT[self._recent - 1])[:-1] != identity:
                self._set(RECENT[self._recent], identity)
                self._recent = (self._recent + 1) % len(RECENT)

    def _find_suspects(self) -> frozenset[bytes]:
        """The suspects of all earlier processes, which are recorded before the notes are erased."""
        crashed = self._trace.tell() > SIZE
        known, running, kills = (self._noted(rows) for rows in (SUSPECTS, THREADS, KILLED))
        suspects = dict.fromkeys([*known, *(running if crashed else ())])
        if crashed and known:
            suspects |= dict.fromkeys(self._noted(RECENT))
        kills = {} if crashed else {each: kills.get(each, 0) + 1 for each in running}
        suspects |= dict.fromkeys(each for each, count in kills.items() if count >= MOST_KILLS)
        kept = list(suspects)[-len(SUSPECTS) :]
        for number, identity in zip(SUSPECTS, kept, strict=False):
            self._set(number, identity)
        rows = [*kills.items(), *[(NOBODY[:-1], 0)] * len(KILLED)]
        for number, (identity, count) in zip(KILLED, rows, strict=False):
            self._set(number, identity, count)
        self._write(THREADS.start, NOBODY * (RECENT.stop - THREADS.start))
        with suppress(OSError):
            self._file.truncate(SIZE)
        return frozenset(kept)

    def _noted(self, numbers: range) -> dict[bytes, int]:
        """The clips in these rows, with their counts."""
        self._file.seek(numbers.start * ROW_BYTES)
        data = self._file.read(len(numbers) * ROW_BYTES)
        rows = (data[at : at + ROW_BYTES] for at in range(0, len(data), ROW_BYTES))
        return {row[:-1]: row[-1] for row in rows if row != NOBODY}

    def _row(self, number: int) -> bytes:
        self._file.seek(number * ROW_BYTES)
        return self._file.read(ROW_BYTES)

    def _set(self, number: int, identity: bytes, count: int = 0) -> None:
        self._write(number, identity + bytes([count]))

    def _write(self, number: int, data: bytes) -> None:
        with suppress(OSError):  # without notes the run goes on as well
            self._file.seek(number * ROW_BYTES)
            self._file.write(data)


def _release(file: FileIO, trace: FileIO, *, traces: bool) -> None:
    if file.closed:
        return
    if traces:
        faulthandler.disable()
    trace.close()
    file.close()


def digest(clip: Clip) -> bytes:
    """What identifies a clip of a run, in 31 bytes."""
    origin = clip.origin
    identity = (origin.dataset, origin.file, origin.row, clip.key)
    text = repr(identity).encode("utf-8", "backslashreplace")
    return hashlib.sha256(text).digest()[: ROW_BYTES - 1]
