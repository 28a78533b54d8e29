"""What is remembered of a file that was published, to notice if somebody changes it.

A file of 100 GB cannot be read whenever a run goes on: then its last blocks are compared, and the
whole where it is read anyway. Knows nothing of what files hold.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from quest22.errors import SinkError
from quest22.system.private_files import open_private

BLOCK_BYTES = 1 << 20
WHOLE_BYTES = 1 << 30
"""A file up to this size is compared as a whole at once."""
NOTES_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class FileState:
    """The size of a file, and checksums (CRC-32) of its bytes from ``start`` on.

    ``anchor`` is a place at least a block before the end, as long as there is one, and the checksum
    of the bytes from ``start`` to there; ``later`` the same, nearer to the end. Earlier versions
    remembered the size only: then ``start`` is the end.
    """

    size: int = 0
    start: int = 0
    crc: int = 0
    anchor: tuple[int, int] = (0, 0)
    later: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, state: Mapping[str, Any] | None) -> FileState:
        """The state that :meth:`to_json` described, or one of an earlier version; new for None."""
        state = state or {}
        size = int(state.get("bytes", 0))
        if "crc" not in state:
            return cls.known_size(size)
        start, crc = state["crc"]
        anchor, later = ((offset, each) for offset, each in state["anchors"])
        return cls(size, start, crc, anchor, later)

    @classmethod
    def known_size(cls, size: int) -> FileState:
        """A state of which the size alone is known."""
        return cls(size, size, 0, (size, 0), (size, 0))

    def to_json(self) -> dict[str, Any]:
        """The state as JSON values."""
        anchors = [list(self.anchor), list(self.later)]
        return {"bytes": self.size, "crc": [self.start, self.crc], "anchors": anchors}

    def after(self, written: bytes) -> FileState:
        """The state after more was written."""
        size, crc = self.size + len(written), crc32(written, self.crc)
        grown = replace(self, size=size, crc=crc)
        if size - self.later[0] < BLOCK_BYTES:
            return grown
        return replace(grown, anchor=self.later, later=(size, crc))

    def check(self, path: Path, *, whole: bool = False, instead: str = "") -> None:
        """Raise :class:`SinkError` unless the file still begins as it was published.

        ``whole``: compare all of it, however large. ``instead`` is added to what can be done.
        """
        if not self.size:
            return
        try:
            with path.open("rb") as file:
                change = self._change(file, whole)
        except FileNotFoundError:
            change = "it is gone"
        except OSError as exc:
            raise SinkError(f"cannot read {path}: {exc.strerror or exc}") from exc
        if change:
            raise SinkError(
                f"{path} was changed since the run wrote it: {change}; put it back as it was, or "
                f"move it away and start over with --restart{instead}"
            )

    def _change(self, file: BinaryIO, whole: bool) -> str:
        found = file.seek(0, 2)
        if found < self.size:
            return f"it has {found:,} bytes, not {self.size:,}"
        start, crc = self.anchor
        if whole or self.size - self.start <= WHOLE_BYTES:
            start, crc = self.start, 0
        file.seek(start)
        if _crc_of(file, self.size - start, crc) == self.crc:
            return ""
        file.seek(0)
        if b"\r\n" in file.read(BLOCK_BYTES):
            return "its lines end as on Windows (CR and LF)"
        return f"the first {self.size:,} bytes are others"


def _crc_of(file: BinaryIO, size: int, crc: int = 0) -> int:
    while size > 0 and (block := file.read(min(size, BLOCK_BYTES))):
        crc = crc32(block, crc)
        size -= len(block)
    return crc


class Notes:
    """A note of each line before it is written, so that it is known as ours after a crash.

    Notes of lines that were published twice since are dropped now and then.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._lines: deque[tuple[int, bytes]] = deque()
        self._size = self._published = 0

    def add(self, offset: int, line: bytes) -> None:
        """Note a line that is about to be written at ``offset``."""
        note = b"%d %d %d\n" % (offset, len(line), crc32(line))
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open_private(self._path, "ab", 0)
            weakref.finalize(self, self._file.close)  # a run that is interrupted leaves it to us
        self._file.write(note)
        self._lines.append((offset, note))
        self._size += len(note)

    def publish(self, end: int) -> None:
        """Note that lines are published up to ``end``, which is yet to be recorded."""
        while self._lines and self._lines[0][0] < self._published:
            self._lines.popleft()
        self._published = end
        if self._size > NOTES_BYTES and self._file is not None:
            kept = b"".join(note for _, note in self._lines)
            self._file.truncate(0)
            self._file.write(kept)
            self._size = len(kept)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def end_of_own_lines(path: Path, published: int, notes: Path) -> int:
    """How far the lines beyond ``published`` are ours, of which the last may be incomplete."""
    known = _read_notes(notes)
    end = published
    with path.open("rb") as file:
        file.seek(published)
        while end in known:
            size, crc = known[end]
            line = file.read(size)
            if len(line) < size:
                return end + len(line)
            if crc32(line) != crc:
                return end
            end += size
    return end


def _read_notes(path: Path) -> dict[int, tuple[int, int]]:
    known: dict[int, tuple[int, int]] = {}
    with suppress(OSError), path.open("rb") as file:
        for line in file:
            with suppress(ValueError):  # the last one may be incomplete
                offset, size, crc = map(int, line.split())
                known[offset] = (size, crc)
    return known
