"""Rows of a WebDataset shard: neighbours in a tar whose names differ in their ending alone.

A damaged header costs its own member: reading goes on at the next header that holds together, and
the gap is told as one unread row. So is what is no tar, and the end of a file that breaks off.
"""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO, TypeAlias, cast

from quest22.source.formats.row_error import Numbered, RowError
from quest22.source.formats.tar_blocks import BLOCK_BYTES, TarBlocks
from quest22.source.io.error_kinds import reason_of
from quest22.source.io.retry import NetworkError
from quest22.source.io.spool import Kept
from quest22.source.listing import is_media

LARGEST_MEMBER = 2 << 30
_TEXT = frozenset({"txt", "text", "transcript", "transcription"})
_JSON = frozenset({"json", "jsn"})
_NUMBER = frozenset({"cls", "cls2", "index", "inx", "id"})

Member: TypeAlias = tuple[str, bytes | Kept]
"""A file's name in the tar, and its content."""


def tar_rows(
    file: BinaryIO, name: str, start: int = 0, held_bytes: int = LARGEST_MEMBER
) -> Iterator[Numbered]:
    """The rows of a tar from row ``start`` on: ``__key__``, and a value for each ending.

    A recording of more than ``held_bytes`` is kept on the disk until it is decoded.
    """
    for number, item in enumerate(_grouped(_members(file, name, held_bytes))):
        if number >= start:
            yield number, item if isinstance(item, RowError) else _row(item, name)


def split_name(path: str) -> tuple[str, str]:
    """A member's name up to the first dot of its last part, and what follows that dot."""
    folder, base = posixpath.split(path)
    stem, _, ending = base.partition(".")
    return posixpath.join(folder, stem), ending


def _grouped(members: Iterator[Member | RowError]) -> Iterator[list[Member] | RowError]:
    """Members of one row together; an ending that comes again begins another row."""
    row: list[Member] = []
    for member in members:
        if row and (isinstance(member, RowError) or not _joins(member, row)):
            yield row
            row = []
        if isinstance(member, RowError):
            yield member
        elif all(split_name(member[0])):
            row.append(member)
    if row:
        yield row


def _joins(member: Member, row: list[Member]) -> bool:
    key, ending = split_name(member[0])
    if not (key and ending):
        return True  # no part of any row
    others = [split_name(name) for name, _ in row]
    return key == others[0][0] and ending not in [other for _, other in others]


def _row(members: list[Member], name: str) -> dict[str, Any] | RowError:
    values: dict[str, Any] = {}
    for path, content in members:
        key, ending = split_name(path)
        try:
            values[ending] = _value(content, path, ending)
        except ValueError as exc:
            return RowError(f"{name}, {path}: its content is not what its name says ({exc})")
    return values | {"__key__": key, "__url__": name}


def _value(content: bytes | Kept, path: str, ending: str) -> Any:
    if isinstance(content, Kept):
        return {"bytes": content, "path": path}
    kind = ending.rpartition(".")[2].lower()
    if kind in _TEXT:
        return content.decode()
    if kind in _JSON:
        return json.loads(content)
    if kind in _NUMBER:
        return int(content)
    return {"bytes": content, "path": path} if is_media(path) else content


def _members(file: BinaryIO, name: str, held_bytes: int) -> Iterator[Member | RowError]:
    """The regular files of a tar in their order, and its damages."""
    blocks = TarBlocks(file)
    place = 0
    last = "the start"
    try:
        with tarfile.open(
            fileobj=cast("BinaryIO", blocks), mode="r|", ignore_zeros=True
        ) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # it would remember every one
                if blocks.hold(place, member.offset):
                    yield RowError(f"{name}, after {last}: a damaged header at byte {place:,}")
                place = member.offset_data + (-(-member.size // 512) * 512 if member.isreg() else 0)
                blocks.forget(member.offset_data)
                last = member.name
                if member.isfile():
                    yield _read(archive, member, name, held_bytes)
    except NetworkError:
        raise
    except Exception as exc:
        yield RowError(f"{reason_of(exc, f'{name}, after {last}')}; the rest is lost")
        return
    trouble = _trouble_at_end(blocks, place)
    if trouble is not None:
        yield RowError(f"{name}, after {last}: {trouble}")


def _trouble_at_end(blocks: TarBlocks, place: int) -> str | None:
    """What is wrong behind the last member, which ends at ``place``: zeros should stand there."""
    if blocks.hold(place):
        if not place:
            return "it is no tar file, or a damaged one: fetch or upload it again"
        return f"a damaged header at byte {place:,}; the rest is lost"
    if blocks.size < place + BLOCK_BYTES:
        return f"the file breaks off at byte {blocks.size:,}, without the mark of its end"
    return None


def _read(
    archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, held_bytes: int
) -> Member | RowError:
    if member.size > LARGEST_MEMBER:
        return RowError(f"{name}, {member.name}: it is longer than {LARGEST_MEMBER >> 30} GiB")
    content = archive.extractfile(member)
    if content is None:
        return member.name, b""
    if member.size > held_bytes and is_media(member.name):
        return member.name, Kept(cast("BinaryIO", content), member.name)
    return member.name, content.read()
