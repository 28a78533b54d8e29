"""Files that only their owner may read, whatever the umask. Raises the system's errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

FILE_MODE, FOLDER_MODE = 0o600, 0o700


def make_private_folder(folder: Path) -> None:
    """Make a folder with its parents, and close it and the files in it to others."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    if _is_open(folder):
        folder.chmod(FOLDER_MODE)
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink() and _is_open(path):
            path.chmod(FILE_MODE)


def open_private(path: Path, mode: str, buffering: int = -1) -> BinaryIO:
    """Open a file for writing; a new one is closed to others from the beginning."""

    def opener(name: str, flags: int) -> int:
        handle = os.open(name, flags | getattr(os, "O_BINARY", 0), FILE_MODE)
        if hasattr(os, "fchmod"):
            os.fchmod(handle, FILE_MODE)
        return handle

    return open(path, mode, buffering, opener=opener)  # type: ignore[return-value]


def write_private(path: Path, content: bytes) -> None:
    """Write a small file durably; a reader sees all of it or none."""
    partial = path.with_name(f"{path.name}.partial")
    with open_private(partial, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o077) and os.name == "posix"
