"""Wakes readers that wait for sound, so that they end."""

from __future__ import annotations

import select
import socket
import weakref
from contextlib import suppress
from typing import Any


class Stop:
    """Set once, by any thread or by a signal handler; holds no lock."""

    def __init__(self) -> None:
        self._waker, self._setter = socket.socketpair()
        self._setter.setblocking(False)
        for each in (self._waker, self._setter):
            weakref.finalize(self, each.close)
        self.is_set = False

    def set(self) -> None:
        """Wake all that wait; they find ``is_set``."""
        self.is_set = True
        with suppress(OSError):  # enough bytes are waiting already
            self._setter.send(b"\0")

    def wait(self, seconds: float) -> bool:
        """Wait; True at once when it is set."""
        return self.is_set or bool(select.select([self._waker], [], [], max(seconds, 0.0))[0])

    def wait_for(self, readable: Any, seconds: float | None = None) -> bool:
        """Wait until a file or socket can be read; False if it is set before, or time is over."""
        if self.is_set:
            return False
        found = select.select([readable, self._waker], [], [], seconds)[0]
        return readable in found and not self.is_set
