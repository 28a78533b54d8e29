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
    want of windows), ``features``, ``encoder``, ``decoder``, ``longform`` (cutting and joining),
    ``sink``; counts ``clips``, ``failures``, ``windows``, ``tokens``, ``audio_s`` (of finished
    transcripts), ``heard_s`` (the same, with the clips that are still open), ``bytes`` and
    ``damaged_packets`` (passed over in decoding).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._counts: defaultdict[str, float] = defaultdict(float)
        self._started = time.perf_counter()

    def reset(self) -> None:
        """Begin a new run: everything back to zero."""
        with self._lock:
            self._seconds.clear()
            self._counts.clear()
            self._started = time.perf_counter()

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the seconds spent inside the ``with`` block."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add_seconds(name, time.perf_counter() - begun)

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
        """A copy of the seconds gathered so far."""
        with self._lock:
            return dict(self._seconds)

    def counts(self) -> dict[str, float]:
        """A copy of the counts gathered so far."""
        with self._lock:
            return dict(self._counts)
