"""Says which servers are waited for, so that a run that waits does not look like one that hangs."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FIRST_NOTICE_S = 10.0
"""Silence of a server that is announced; again whenever it has lasted twice as long."""
_TICK_S = 1.0
_IDLE_TICKS = 5

_log = logging.getLogger("quest22")


class WaitingBoard:
    """Notes requests under way, and announces servers from which nothing comes.

    A thread looks once a second while there are requests. Safe to use from several threads.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, tick_s: float = _TICK_S
    ) -> None:
        self._clock = clock
        self._tick_s = tick_s
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._heard_s: dict[str, float] = {}
        self._announced_s: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def waiting(self, host: str) -> Iterator[None]:
        """A request to a server is under way."""
        with self._lock:
            if not self._requests[host]:
                self._heard_s[host] = self._clock()
            self._requests[host] += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._watch, name="quest22-waiting", daemon=True
                )
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._requests[host] -= 1
                self._hear(host)

    def heard_from(self, host: str) -> None:
        """Something has come from a server."""
        with self._lock:
            self._hear(host)

    def announce(self) -> None:
        """Log the servers that have been silent for long."""
        with self._lock:
            now = self._clock()
            silent = [host for host, count in self._requests.items() if count > 0]
            for host in silent:
                silence_s = now - self._heard_s[host]
                if silence_s >= self._announced_s.get(host, FIRST_NOTICE_S):
                    self._announced_s[host] = 2 * silence_s
                    _log.warning("waiting for %s: nothing has come for %.0f s", host, silence_s)

    def _hear(self, host: str) -> None:
        self._heard_s[host] = self._clock()
        self._announced_s.pop(host, None)

    def _watch(self) -> None:
        idle_ticks = 0
        while True:
            time.sleep(self._tick_s)
            with self._lock:
                idle_ticks = 0 if +self._requests else idle_ticks + 1
                if idle_ticks > _IDLE_TICKS:
                    self._thread = None
                    return
            self.announce()
