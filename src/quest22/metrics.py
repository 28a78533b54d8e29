"""Counters and timers of a run, updated by many threads: where the time went."""

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
    """A timer that nested blocks start and stop; ``depth`` is how many are running."""

    gathered_s: float = 0.0
    begun_s: float = 0.0
    depth: int = 0

    def read_s(self) -> float:
        return self.gathered_s + (time.perf_counter() - self.begun_s if self.depth else 0.0)


class Metrics:
    """Adds up named seconds and counts. Safe to use from several threads at once.

    Seconds: ``source`` (waiting for the next clip's bytes), ``audio`` (processor time of decoding
    and resampling, summed over threads), ``wait`` (the engine had no windows; its parts are
    ``wait_network``, ``wait_source`` for reading and unpacking, and ``wait_audio`` for decoding),
    ``features``, ``encoder``, ``decoder``, ``longform`` (chunking and stitching), ``sink``.

    Counts: ``clips``, ``failures``, ``windows``, ``tokens``, ``audio_s`` (of transcripts),
    ``processed_s`` (of windows, also of clips that are still open), ``repeated_s`` (of windows that
    an earlier process transcribed), ``bytes`` (of encoded media),
    ``net_bytes``, ``damaged`` (clips of which sound is missing), ``damaged_packets`` and
    ``truncated`` (files with less audio than their header states), ``several_tracks`` (clips whose
    track nobody chose), ``cancelled_mixes`` and ``integer_scale`` (whose levels were mended).
    Labelled counts:
    ``retries``, by host and kind of error.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a run may be collected while it is held
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._counts: defaultdict[str, float] = defaultdict(float)
        self._labelled: defaultdict[str, Counter[Label]] = defaultdict(Counter)
        self._running: dict[object, tuple[str, float]] = {}
        self._network: defaultdict[int, _Stopwatch] = defaultdict(_Stopwatch)
        self._run_begun = False
        self._running_runs = 0
        self._started = time.perf_counter()

    def reset(self) -> None:
        """Set everything back to zero, for a new run; nothing while another run goes on."""
        with self._lock:
            if not self._running_runs:
                self._clear()

    @contextmanager
    def run(self) -> Iterator[None]:
        """Measure a run; keeps the bytes and retries spent on finding its source.

        Runs that overlap are measured together, from the start of the first.
        """
        with self._lock:
            if not self._running_runs:
                if self._run_begun:
                    self._clear()
                self._seconds.clear()
                self._run_begun = True
                self._started = time.perf_counter()
            self._running_runs += 1
        try:
            yield
        finally:
            with self._lock:
                self._running_runs -= 1

    def _clear(self) -> None:
        self._seconds.clear()
        self._counts.clear()
        self._labelled.clear()
        self._run_begun = False
        self._started = time.perf_counter()

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the seconds spent inside the ``with`` block; readers see them while it runs."""
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

    def count_labelled(self, name: str, *label: str) -> None:
        """Count one event of ``name`` under a label."""
        with self._lock:
            self._labelled[name][label] += 1

    @contextmanager
    def network_wait(self) -> Iterator[None]:
        """Mark the calling thread as waiting for the network inside the ``with`` block."""
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

    def network_wait_s(self, thread: int) -> float:
        """Seconds that a thread (by ident) has waited for the network; compare two calls."""
        with self._lock:
            return self._network[thread].read_s() if thread in self._network else 0.0

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._started

    def seconds(self) -> dict[str, float]:
        """A copy of the seconds so far, including blocks that are still running."""
        with self._lock:
            gathered = self._seconds.copy()
            running = list(self._running.values())
        now = time.perf_counter()
        for name, begun in running:
            gathered[name] += now - begun
        return dict(gathered)

    def labelled_counts(self, name: str) -> Counter[Label]:
        """A copy of the counts of ``name`` by label."""
        with self._lock:
            return self._labelled[name].copy() if name in self._labelled else Counter()

    def counts(self) -> dict[str, float]:
        """A copy of the counts so far."""
        with self._lock:
            return dict(self._counts)
