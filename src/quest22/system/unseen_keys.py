"""Keys that are pressed while captions are drawn must not write between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from quest22.system import WINDOWS

_LOCAL_FLAGS = 3


@contextmanager
def unseen_keys(terminal: TextIO) -> Iterator[None]:
    """Without the echo of keys on a terminal, if this process is in its foreground."""
    if WINDOWS or not terminal.isatty():
        yield
        return
    import termios

    descriptor = terminal.fileno()
    before = termios.tcgetattr(descriptor) if _is_in_foreground(descriptor) else None
    if before is not None:
        silent = [*before]
        silent[_LOCAL_FLAGS] &= ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSANOW, silent)
    try:
        yield
    finally:
        if before is not None:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _is_in_foreground(descriptor: int) -> bool:
    """Whether the terminal is this process's to change; else it would stop the process."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # it is no terminal of this session
        return False
