"""Files as memory: mapped whole, and their pages given back when they have been read."""

from __future__ import annotations

import mmap
from pathlib import Path

from quest22.system.regular_files import open_regular


def map_file(path: Path, access: int = mmap.ACCESS_READ) -> mmap.mmap:
    """A whole regular file as memory; raises ``OSError``, and ``ValueError`` for an empty one."""
    with open_regular(path) as file:
        return mmap.mmap(file.fileno(), 0, access=access)


def release_pages(mapped: mmap.mmap) -> None:
    """Let the system have the memory of the pages that were read, where it can take it.

    What is needed again is read again; what was written to a private copy is lost.
    """
    if hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
