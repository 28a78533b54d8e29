"""Counts and seconds of a run, gathered from many threads: where the time went."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Meter:
    """Adds up named seconds and counts. Safe to use from several threads at once.

    Names in use: seconds ``source`` (waiting for the next clip's bytes), ``audio`` (processor
    time of decoding and resampling, summed over threads), ``wait`` (the engine stood still for
    want of windows; ``wait_source`` and ``wait_audio`` are its parts), ``features``, ``encoder``,
    ``decoder``, ``longform`` (cutting and joining), ``sink``; counts ``clips``, ``failures``,
    ``windows``, ``tokens``, ``audio_s`` (of transcripts), ``heard_s`` (of windows, also while
    their clips are still open), ``bytes``, ``damaged_packets`` and ``truncated`` (files that held
    less sound than promised).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._counts: defaultdict[str, float] = defaultdict(float)
        self._running: dict[object, tuple[str, float]] = {}
        self._started = time.perf_counter()

    def reset(self) -> None:
        """Begin a new run: everything back to zero."""
        with self._lock:
            self._seconds.clear()
            self._counts.clear()
            self._started = time.perf_counter()

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the seconds spent inside the ``with`` block; they count while they pass."""
        begun, block = time.perf_counter(), object()
        with self._lock:
            self._running[block] = (name, begun)
        try:
            yield
        finally:
            with self._lock:
                del self._running[block]
                self._seconds[name] += time.perf_counter() - begun

    def add_seconds(self, name: str, seconds: float) -> None:
        with self._lock:
            self._seconds[name] += seconds

    def count(self, name: str, amount: float = 1) -> None:
        with self._lock:
            self._counts[name] += amount

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._started

    def seconds(self) -> dict[str, float]:
        """A copy of the seconds gathered so far, those of blocks that still run included."""
        with self._lock:
            gathered = self._seconds.copy()
            running = list(self._running.values())
        now = time.perf_counter()
        for name, begun in running:
            gathered[name] += now - begun
        return dict(gathered)

    def counts(self) -> dict[str, float]:
        """A copy of the counts gathered so far."""
        with self._lock:
            return dict(self._counts)
