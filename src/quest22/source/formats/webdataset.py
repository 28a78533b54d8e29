"""Rows of a WebDataset shard: adjacent members of a tar whose names differ only in extension.

A damaged header costs its own member: reading continues at the next valid header, and the gap
becomes one RowError. A file that is no tar, or that is truncated, has an open end.
"""

from __future__ import annotations

import json
import math
import posixpath
import tarfile
from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from quest22.source.io.spool import SpooledMedia
from quest22.source.listing import is_media
from quest22.source.rows import NumberedRow, OpenEnd, RowError

MAX_MEMBER_BYTES = 2 << 30
BLOCK_BYTES = 512
_TEXT = frozenset({"txt", "text", "transcript", "transcription"})
_JSON = frozenset({"json", "jsn"})
_NUMBER = frozenset({"cls", "cls2", "index", "inx", "id"})

Member: TypeAlias = tuple[str, bytes | SpooledMedia]
"""A member's name and its content."""

Unreadable: TypeAlias = RowError | OpenEnd


def tar_rows(
    file: BinaryIO, name: str, start: int = 0, memory_bytes: int = MAX_MEMBER_BYTES
) -> Iterator[NumberedRow]:
    """The rows of a tar from row ``start`` on: ``__key__``, and a value for each extension.

    Recordings larger than ``memory_bytes`` are kept on disk until they are decoded. Raises what
    reading the file and ``tarfile`` raise; all rows before are yielded first.
    """
    for number, item in enumerate(_grouped(_members(file, name, memory_bytes))):
        if number >= start:
            yield number, item if isinstance(item, Unreadable) else _row(item, name)


def split_name(path: str) -> tuple[str, str]:
    """A member's key (its path up to the first dot of the file name) and its extension."""
    folder, base = posixpath.split(path)
    stem, _, extension = base.partition(".")
    return posixpath.join(folder, stem), extension


def _grouped(
    members: Iterator[str | Member | Unreadable],
) -> Iterator[list[Member] | Unreadable]:
    """Members grouped into rows; a repeated extension starts a new row.

    A name announces a member that is read next: should that fail, the rows before it are whole. The
    row at which a file breaks off counts as whole if it has all that the row before it had.
    """
    row: list[Member] = []
    usual: set[str] = set()
    try:
        for member in members:
            if isinstance(member, OpenEnd):
                if _is_whole(row, usual):
                    yield row
                row = []
                yield member
            elif row and (isinstance(member, RowError) or not _belongs_to_row(member, row)):
                yield row
                row, usual = [], _extensions(row)
            if isinstance(member, RowError):
                yield member
            elif isinstance(member, tuple) and all(split_name(member[0])):
                row.append(member)
    except Exception:
        if _is_whole(row, usual):
            yield row
        raise
    if row:
        yield row


def _extensions(row: list[Member]) -> set[str]:
    return {split_name(name)[1] for name, _ in row}


def _is_whole(row: list[Member], usual: set[str]) -> bool:
    return bool(usual) and _extensions(row) >= usual


def _belongs_to_row(member: str | Member, row: list[Member]) -> bool:
    key, extension = split_name(member if isinstance(member, str) else member[0])
    if not (key and extension):
        return True  # part of no row
    others = [split_name(name) for name, _ in row]
    return key == others[0][0] and extension not in [other for _, other in others]


def _row(members: list[Member], name: str) -> dict[str, Any] | RowError:
    values: dict[str, Any] = {}
    for path, content in members:
        key, extension = split_name(path)
        try:
            values[extension] = _value(content, path, extension)
        except ValueError as exc:
            return RowError(f"{name}, {path}: its content is not what its name says ({exc})")
    return values | {"__key__": key, "__url__": name}


def _value(content: bytes | SpooledMedia, path: str, extension: str) -> Any:
    if isinstance(content, SpooledMedia):
        return {"bytes": content, "path": path}
    kind = extension.rpartition(".")[2].lower()
    if kind in _TEXT:
        return content.decode()
    if kind in _JSON:
        return json.loads(content)
    if kind in _NUMBER:
        return int(content)
    return {"bytes": content, "path": path} if is_media(path) else content


def _members(file: BinaryIO, name: str, memory_bytes: int) -> Iterator[str | Member | Unreadable]:
    """The regular files of a tar in order, each after its name; a RowError for a damaged part."""
    blocks = TarBlocks(file)
    expected_at = 0
    last = "the start"
    try:
        with tarfile.open(
            fileobj=cast("BinaryIO", blocks), mode="r|", ignore_zeros=True
        ) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # or it would keep all members
                if blocks.has_data(expected_at, member.offset):
                    yield RowError(
                        f"{name}, after {last}: a damaged header at byte {expected_at:,}; what was "
                        "there up to the next one is lost, perhaps several rows"
                    )
                expected_at = member.offset_data + (
                    -(-member.size // 512) * 512 if member.isreg() else 0
                )
                blocks.forget_before(member.offset_data)
                last = member.name
                if member.isfile():
                    yield member.name
                    yield _read(archive, member, name, memory_bytes)
    except tarfile.TarError as exc:
        raise tarfile.ReadError(f"after {last}: {exc}") from exc
    error = _error_at_end(blocks, expected_at)
    if error is not None:
        yield OpenEnd(f"{name}, after {last}: {error}")


def _error_at_end(blocks: TarBlocks, expected_at: int) -> str | None:
    """What is wrong after the last member, which ends at ``expected_at``; zeros should follow."""
    if expected_at < blocks.size < expected_at + BLOCK_BYTES:
        return f"the file breaks off at byte {blocks.size:,}, in the header of a member"
    if blocks.has_data(expected_at):
        if not expected_at:
            return "it is no tar file, or a damaged one: fetch or upload it again"
        return f"a damaged header at byte {expected_at:,}, and none follows"
    if blocks.size < expected_at + BLOCK_BYTES:
        return f"the file breaks off at byte {blocks.size:,}, without the mark of its end"
    return None


def _read(
    archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, memory_bytes: int
) -> Member | RowError:
    if member.size > MAX_MEMBER_BYTES:
        return RowError(f"{name}, {member.name}: it is longer than {MAX_MEMBER_BYTES >> 30} GiB")
    content = archive.extractfile(member)
    if content is None:
        return member.name, b""
    if member.size > memory_bytes and is_media(member.name):
        return member.name, SpooledMedia(cast("BinaryIO", content), member.name)
    return member.name, content.read()


class TarBlocks:
    """Wraps a tar that is read sequentially; remembers which recent blocks are not all zeros."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._recent: deque[tuple[int, NDArray[np.bool_]]] = deque()
        self.size = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        padded = data + bytes(-len(data) % BLOCK_BYTES)
        blocks = np.frombuffer(padded, np.uint8).reshape(-1, BLOCK_BYTES)
        self._recent.append((self.size, np.asarray(blocks.any(axis=1))))
        self.size += len(data)
        return data

    def forget_before(self, until: int) -> None:
        """Drop what is known of blocks before this byte offset."""
        while self._recent and self._recent[0][0] + BLOCK_BYTES * len(self._recent[0][1]) <= until:
            self._recent.popleft()

    def has_data(self, start: int, end: float = math.inf) -> bool:
        """Whether anything but zeros was read between two offsets, multiples of a block."""
        for first, used in self._recent:
            low = max(0, (start - first) // BLOCK_BYTES)
            high = len(used) if end == math.inf else max(0, (int(end) - first) // BLOCK_BYTES)
            if used[low:high].any():
                return True
        return False
