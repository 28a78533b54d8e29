"""Advisory locks on files, between processes: ``flock`` on POSIX, ``msvcrt.locking`` on Windows.

A lock belongs to an open file and ends with it, so a process that dies holds nothing.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any, BinaryIO

fcntl: Any
try:
    fcntl = import_module("fcntl")
except ImportError:  # Windows
    fcntl = None

POLL_S = 0.05
"""How often a wait looks again where the system cannot wake it (Windows)."""


def try_lock(file: BinaryIO, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; False where another process holds it.

    ``shared`` locks exclude exclusive ones alone (on Windows every lock is exclusive). Raises
    ``OSError`` where the file system knows no locks.
    """
    if fcntl is None:
        return _try_windows_lock(file)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for_lock(file: BinaryIO) -> None:
    """Lock an open file; block until no other process holds it."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)
        return
    while not _try_windows_lock(file):
        time.sleep(POLL_S)


def _try_windows_lock(file: BinaryIO) -> bool:
    msvcrt = import_module("msvcrt")
    file.seek(0)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
