"""Rows of a WebDataset shard: adjacent members of a tar whose names differ only in extension.

A damaged header costs its own member: reading continues at the next valid header, and the gap
becomes one RowError. A file that is no tar, or that is truncated, has an open end.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

from quest22.source.formats.foreign_text import decoded, parsed_json
from quest22.source.formats.tar_stream import Gap, TarError, TarMember, tar_members
from quest22.source.io.spool import SpooledMedia
from quest22.source.limits import (
    GIB,
    MAX_MEMBER_BYTES,
    MAX_ROW_MEMBERS,
    MAX_SIDE_FILE_BYTES,
    MIB,
)
from quest22.source.listing import is_media
from quest22.source.rows import NumberedRow, OpenEnd, RowError
from quest22.storable import one_line

_TEXT = frozenset({"txt", "text", "transcript", "transcription"})
_JSON = frozenset({"json", "jsn"})
_NUMBER = frozenset({"cls", "cls2", "index", "inx", "id"})

_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a member is not read; it costs its row."""

    reason: str


Member: TypeAlias = tuple[str, bytes | SpooledMedia | _Refused]
"""A member's name and its content."""

Unreadable: TypeAlias = RowError | OpenEnd


def tar_rows(
    file: BinaryIO,
    name: str,
    start: int = 0,
    *,
    memory_bytes: int = MAX_MEMBER_BYTES,
    quiet: bool = False,
) -> Iterator[NumberedRow]:
    """The rows of a tar from row ``start`` on: ``__key__``, and a value for each extension.

    A row's recordings beyond ``memory_bytes`` are kept on disk until they are decoded. ``quiet``:
    warn of nothing. Raises what reading the file raises, and TarError; all rows before are yielded
    first.
    """
    side_files = _SideFiles(name, logging.DEBUG if quiet else logging.WARNING)
    for number, item in enumerate(_grouped(_members(file, name, memory_bytes))):
        if number >= start:
            yield number, item if isinstance(item, Unreadable) else _row(item, name, side_files)


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
    row = _OpenRow()
    usual: set[str] = set()
    try:
        for member in members:
            if isinstance(member, OpenEnd):
                if row.has(usual):
                    yield row.members
                row = _OpenRow()
                yield member
            elif row.members and (isinstance(member, RowError) or not row.takes(member)):
                yield row.members
                row, usual = _OpenRow(), row.extensions
            if isinstance(member, RowError):
                yield member
            elif isinstance(member, tuple):
                row.add(member)
    except Exception:
        if row.has(usual):
            yield row.members
        raise
    if row.members:
        yield row.members


class _OpenRow:
    """The members of a row so far; one beyond the limit is kept, as it says that there are more."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.extensions: set[str] = set()
        self._key = ""

    def takes(self, member: str | Member) -> bool:
        """Whether a member belongs to this row, or to none."""
        key, extension = split_name(member if isinstance(member, str) else member[0])
        return not (key and extension) or (key == self._key and extension not in self.extensions)

    def add(self, member: Member) -> None:
        key, extension = split_name(member[0])
        if key and extension:
            self._key = key
            self.extensions.add(extension)
            self.members[MAX_ROW_MEMBERS:] = [member]

    def has(self, usual: set[str]) -> bool:
        """Whether it has all that the row before it had."""
        return bool(usual) and self.extensions >= usual


class _SideFiles:
    """Reads what lies beside a recording; nothing that is wrong with it costs the recording."""

    def __init__(self, name: str, level: int) -> None:
        self._name = name
        self._level = level

    def value(self, content: bytes, path: str, extension: str) -> Any:
        """Text, JSON, a number, or bytes, as the extension says; text if it is not what it says."""
        kind = extension.rpartition(".")[2].lower()
        if kind not in _TEXT | _JSON | _NUMBER:
            return content
        if kind in _JSON:
            try:
                return parsed_json(content)
            except ValueError as exc:
                self._note(path, f"it is no JSON ({exc}), and kept as text")
        text, valid = decoded(content)
        if not valid:
            self._note(path, "it is no UTF-8: what cannot be read is replaced by U+FFFD")
        return int(text) if kind in _NUMBER and _WHOLE.fullmatch(text.strip()) else text

    def _note(self, path: str, what: str) -> None:
        """Log the first trouble of a tar as a warning, all others only for debugging."""
        _log.log(self._level, "%s, %s: %s", self._name, one_line(path), what)
        self._level = logging.DEBUG


def _row(members: list[Member], name: str, side_files: _SideFiles) -> dict[str, Any] | RowError:
    values: dict[str, Any] = {}
    for path, content in members:
        key, extension = split_name(path)
        if isinstance(content, _Refused):
            return RowError(f"{name}, {path}: {content.reason}")
        if isinstance(content, SpooledMedia) or is_media(path):
            values[extension] = {"bytes": content, "path": path}
        else:
            values[extension] = side_files.value(content, path, extension)
    return values | {"__key__": key, "__url__": name}


def _members(file: BinaryIO, name: str, memory_bytes: int) -> Iterator[str | Member | Unreadable]:
    """The regular files of a tar in order, each after its name; a RowError for a damaged part."""
    last = "the start"
    reader = _ContentReader(memory_bytes)
    try:
        for item in tar_members(file):
            if isinstance(item, TarMember):
                last = item.name
                yield item.name
                yield item.name, reader.read(item)
            elif isinstance(item, Gap):
                yield RowError(
                    f"{name}, after {last}: a damaged header at byte {item.start:,}; what was "
                    "there up to the next one is lost, perhaps several rows"
                )
            elif item.problem is not None:
                yield OpenEnd(f"{name}, after {last}: {item.problem}")
    except TarError as exc:
        raise TarError(f"after {last}: {exc}") from exc


class _ContentReader:
    """Reads members into memory or onto the disk, each row within limits."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._key = ""
        self._begin_row("")

    def read(self, member: TarMember) -> bytes | SpooledMedia | _Refused:
        key, extension = split_name(member.name)
        if not (key and extension):
            return b""  # part of no row
        if key != self._key:
            self._begin_row(key)
        reason = member.problem or self._refusal(member)
        if reason is not None:
            return _Refused(reason)
        if is_media(member.name) and self._held + member.size > self._memory_bytes:
            return SpooledMedia(member.content, member.name)
        self._held += member.size
        return member.content.read()

    def _begin_row(self, key: str) -> None:
        self._key = key
        self._members = self._total = self._held = 0

    def _refusal(self, member: TarMember) -> str | None:
        """Why a member is beyond the limits; None if it is within."""
        self._members += 1
        self._total += member.size
        side_bytes = 0 if is_media(member.name) else member.size
        held_mib = max(self._memory_bytes, MAX_SIDE_FILE_BYTES) / MIB
        limits = {
            f"its row has more than {MAX_ROW_MEMBERS:,} members": self._members <= MAX_ROW_MEMBERS,
            f"its row is longer than {MAX_MEMBER_BYTES // GIB} GiB": (
                self._total <= MAX_MEMBER_BYTES
            ),
            f"it is stored with holes and longer than {held_mib:g} MiB": (
                not member.sparse or member.size <= held_mib * MIB
            ),
            f"it is no recording and longer than {MAX_SIDE_FILE_BYTES // MIB} MiB": (
                side_bytes <= MAX_SIDE_FILE_BYTES
            ),
            f"what lies beside its recording is longer than {held_mib:g} MiB": (
                not side_bytes or self._held + side_bytes <= held_mib * MIB
            ),
        }
        return next((reason for reason, kept in limits.items() if not kept), None)
