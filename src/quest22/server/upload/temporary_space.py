"""How much of the disk all uploads may take together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from math import inf

from quest22.server.refusal import RETRY_S, Refusal

_log = logging.getLogger("quest22.server")


class TemporarySpace:
    """Counts the bytes in temporary files against a limit; safe to use from several threads.

    ``on_full`` is called whenever a recording is refused.
    """

    def __init__(self, max_bytes: float = inf, on_full: Callable[[], None] = lambda: None) -> None:
        self._max_bytes = max_bytes
        self._on_full = on_full
        self._used_bytes = 0
        self._lock = threading.Lock()

    @property
    def used_bytes(self) -> int:
        """Bytes that are taken now."""
        return self._used_bytes

    def check(self, size: int) -> None:
        """Raise :class:`Refusal` if so many more bytes would not fit."""
        if self._used_bytes + size > self._max_bytes:
            raise self._full(
                f"open recordings use {self._used_bytes / 1e6:.4g} of the "
                f"{self._max_bytes / 1e6:.4g} MB of temporary disk"
            )

    def take(self, size: int) -> None:
        """Count bytes that are about to be written; raises :class:`Refusal`."""
        with self._lock:
            self.check(size)
            self._used_bytes += size

    def give_back(self, size: int) -> None:
        """Bytes that were taken are free again."""
        with self._lock:
            self._used_bytes -= size

    def disk_failed(self, error: OSError) -> Refusal:
        """The refusal for a recording that cannot be written; the log says why."""
        _log.error("a recording cannot be written to the temporary folder: %s", error)
        return self._full("the server's disk for recordings is full")

    def _full(self, message: str) -> Refusal:
        self._on_full()
        return Refusal(
            "storage_full",
            f"{message}: send this one again later",
            parameter="file",
            retry_after_s=RETRY_S,
        )
