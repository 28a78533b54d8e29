"""What a forked child must not touch: it has none of its parent's threads.

Libraries with threads of their own wait for those that are gone, even when their objects are only
deleted. So a child keeps such objects, and is told so when it wants to use them.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any, TypeVar

from quest22.errors import UsageError

Kept = TypeVar("Kept")

_kept: list[weakref.ref[Any]] = []


def kept_in_children(value: Kept) -> Kept:
    """The same value, which no forked child will ever delete."""
    _kept.append(weakref.ref(value, _kept.remove))
    return value


def _keep() -> None:
    """In a forked child: one more reference to each, which nothing gives back."""
    for reference in _kept:
        if (value := reference()) is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep)


class HomeProcess:
    """The process that something was made in."""

    def __init__(self) -> None:
        self._process_id = os.getpid()

    @property
    def is_here(self) -> bool:
        """False in a forked child."""
        return os.getpid() == self._process_id

    def check(self, name: str) -> None:
        """Raise :class:`UsageError` in a forked child."""
        if not self.is_here:
            raise UsageError(
                f"{name} was loaded before this process was forked, which has none of its threads: "
                'load it in the child, or start processes by the method "spawn"'
            )
