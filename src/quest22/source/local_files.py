"""Looks at local paths that come from outside: whether there is a file to read, and if not, why.

No path is an error of the program: one may be too long, forbidden, a loop of links, or hold bytes
that no path can. Opens nothing, so neither a pipe nor a device can block.
"""

from __future__ import annotations

import errno
import os
import stat
from enum import Enum
from pathlib import Path

_SHOWN_CHARS = 200
_REASONS = {
    errno.ENAMETOOLONG: "the name is too long",
    errno.EACCES: "access is denied: check the permissions",
    errno.EPERM: "access is denied: check the permissions",
    errno.ELOOP: "it is a loop of links",
}
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EBADF}


class FileKind(Enum):
    """What is at a path."""

    FILE = "file"
    FOLDER = "folder"
    PIPE = "pipe"
    DEVICE = "device"
    NOTHING = "nothing"
    UNKNOWN = "unknown"


def kind_of_path(path: str | Path) -> tuple[FileKind, str]:
    """What is at a path, links followed, and for all but a readable file why none is there."""
    shown = shortened(str(path))
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 -- a str may hold what Path refuses
    except ValueError:  # a NUL character
        return FileKind.NOTHING, f"no such file: {shown}"
    except OSError as exc:
        if exc.errno in _ABSENT:
            return FileKind.NOTHING, _absent(path, shown)
        return FileKind.UNKNOWN, f"{_REASONS.get(exc.errno or 0) or exc.strerror or exc}: {shown}"
    if stat.S_ISREG(mode):
        allowed = os.access(path, os.R_OK)
        return FileKind.FILE, "" if allowed else f"{_REASONS[errno.EACCES]}: {shown}"
    others = ((stat.S_ISDIR, FileKind.FOLDER), (stat.S_ISFIFO, FileKind.PIPE))
    kind = next((kind for is_kind, kind in others if is_kind(mode)), FileKind.DEVICE)
    return kind, f"it is a {kind.value}, not a file: {shown}"


def problem_of_file(path: str | Path) -> str | None:
    """Why a path is no regular file that can be read; None if it is one."""
    return kind_of_path(path)[1] or None


def is_folder(path: str | Path) -> bool:
    """Whether a path is a folder; False for what cannot be looked at."""
    return kind_of_path(path)[0] is FileKind.FOLDER


def exists(path: str | Path) -> bool:
    """Whether anything is at a path; False for what cannot be looked at."""
    return kind_of_path(path)[0] not in {FileKind.NOTHING, FileKind.UNKNOWN}


def shortened(text: str) -> str:
    """A foreign name for a message: its start and its end if it is long."""
    if len(text) <= _SHOWN_CHARS:
        return text
    half = _SHOWN_CHARS // 2
    return f"{text[:half]} … {text[-half:]} ({len(text):,} characters)"


def _absent(path: str | Path, shown: str) -> str:
    try:
        dangling = os.path.islink(path)  # noqa: PTH114 -- as above
    except (OSError, ValueError):
        dangling = False
    return (
        f"it is a link to a file that does not exist: {shown}"
        if dangling
        else (f"no such file: {shown}")
    )
