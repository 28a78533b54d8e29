"""Counts and seconds of a run, gathered from many threads: where the time went."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

Label: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class _Stopwatch:
    """Seconds gathered, and since when it runs; ``depth`` blocks have started it."""

    gathered_s: float = 0.0
    begun_s: float = 0.0
    depth: int = 0

    def read_s(self) -> float:
        return self.gathered_s + (time.perf_counter() - self.begun_s if self.depth else 0.0)


class Metrics:
    """Adds up named seconds and counts. Safe to use from several threads at once.

    Names in use: seconds ``source`` (waiting for the next clip's bytes), ``audio`` (processor
    time of decoding and resampling, summed over threads), ``wait`` (the engine stood still for
    want of windows; its parts are ``wait_network``, ``wait_source`` for reading and unpacking what
    is there, and ``wait_audio`` for decoding), ``features``, ``encoder``, ``decoder``,
    ``longform`` (cutting and joining), ``sink``; counts ``clips``, ``failures``, ``windows``,
    ``tokens``, ``audio_s`` (of transcripts), ``heard_s`` (of windows, also while their clips are
    still open), ``bytes`` (of undecoded sound), ``net_bytes``, ``damaged_packets`` and
    ``truncated`` (files that held less sound than promised); tallies ``retries``, by host and
    trouble.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._counts: defaultdict[str, float] = defaultdict(float)
        self._tallies: defaultdict[str, Counter[Label]] = defaultdict(Counter)
        self._running: dict[object, tuple[str, float]] = {}
        self._network: defaultdict[int, _Stopwatch] = defaultdict(_Stopwatch)
        self._begun = False
        self._started = time.perf_counter()

    def reset(self) -> None:
        """Make ready for a new run: everything back to zero."""
        with self._lock:
            self._seconds.clear()
            self._counts.clear()
            self._tallies.clear()
            self._begun = False
            self._started = time.perf_counter()

    def begin(self) -> None:
        """Start the clock of a run; bytes and retries that it cost to find its source are kept."""
        if self._begun:
            self.reset()
        with self._lock:
            self._seconds.clear()
            self._begun = True
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

    def tally(self, name: str, *label: str) -> None:
        """Count one of several kinds."""
        with self._lock:
            self._tallies[name][label] += 1

    @contextmanager
    def network(self) -> Iterator[None]:
        """Mark the calling thread as kept waiting by a network inside the ``with`` block."""
        with self._lock:
            watch = self._network[threading.get_ident()]
            if not watch.depth:
                watch.begun_s = time.perf_counter()
            watch.depth += 1
        try:
            yield
        finally:
            with self._lock:
                watch.gathered_s = watch.read_s() if watch.depth == 1 else watch.gathered_s
                watch.depth -= 1

    def network_s(self, thread: int) -> float:
        """How long a network has kept a thread (by ident) waiting, up to now; compare two calls."""
        with self._lock:
            return self._network[thread].read_s() if thread in self._network else 0.0

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

    def tallies(self, name: str) -> Counter[Label]:
        """A copy of how often each kind was counted."""
        with self._lock:
            return self._tallies[name].copy() if name in self._tallies else Counter()

    def counts(self) -> dict[str, float]:
        """A copy of the counts gathered so far."""
        with self._lock:
            return dict(self._counts)
