"""Files that survive a crash: replaced whole, made durable on request.

Raises the system's errors (``OSError``); callers translate them. On Windows a file cannot be
replaced while it is open or mapped: close it first.
"""

from __future__ import annotations

import os
from pathlib import Path

from quest22.system.private_files import open_private

MAX_NAME_BYTES = 200
"""Bytes of a name that leave room for a suffix on every file system."""


def write_atomically(
    path: Path, content: bytes, *, durable: bool = False, private: bool = False
) -> None:
    """Write a file whole: readers see the old content or the new, never a part.

    ``durable``: the new content survives a power cut once this returns. ``private``: only the owner
    may read it.
    """
    name = os.fsencode(path.name)[:MAX_NAME_BYTES].decode(errors="ignore")
    partial = path.with_name(f"{name}.partial")
    try:
        with open_private(partial, "wb") if private else partial.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def publish_file(partial: Path, path: Path) -> None:
    """Move a finished, closed file to its final name; it is durable once this returns."""
    sync_file(partial)
    partial.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make the content of a closed file durable."""
    with path.open("r+b") as file:  # Windows syncs only what is open for writing
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; does nothing where folders cannot be opened."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows: names are durable with their files
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
