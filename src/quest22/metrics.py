"""Counters and timers of a run, updated by many threads: where the time went."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

Label: TypeAlias = tuple[str, ...]

BOUNDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
"""Upper bounds of the ranges in which observed values are counted; more are counted after them."""

KEPT_VALUES = 256


@dataclass(slots=True)
class Distribution:
    """Observed values: how many are in each range, and the newest ones with their times.

    ``ranges[i]`` counts those up to ``BOUNDS[i]``, the last one those above all. Times are of
    :func:`time.monotonic`.
    """

    total: float = 0.0
    ranges: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    newest: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT_VALUES))

    def add(self, value: float) -> None:
        """One more value."""
        self.total += value
        self.ranges[bisect_left(BOUNDS, value)] += 1
        self.newest.append((time.monotonic(), value))

    def since(self, when: float) -> list[float]:
        """The values that were observed after a time; of these, the newest 256 at most."""
        return [value for at, value in self.newest if at >= when]

    def copy(self) -> Distribution:
        return Distribution(self.total, list(self.ranges), deque(self.newest, KEPT_VALUES))


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

    Distributions, of loops alone: ``queue_wait`` (seconds that a clip waited for a place in a
    batch), by priority; ``first_wait`` (the same for the first one of recordings);
    ``batch_windows``; ``live_latency``, by type of event. And the seconds ``engine``: batches ran.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a run may be collected while it is held
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._counts: defaultdict[str, float] = defaultdict(float)
        self._labelled: defaultdict[str, Counter[Label]] = defaultdict(Counter)
        self._observed: defaultdict[tuple[str, ...], Distribution] = defaultdict(Distribution)
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
        self._observed.clear()
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

    def observe(self, name: str, value: float, *label: str) -> None:
        """Note one value of the distribution ``name``, perhaps under a label."""
        with self._lock:
            self._observed[(name, *label)].add(value)

    def distribution(self, name: str, *label: str) -> Distribution:
        """A copy of a distribution so far."""
        with self._lock:
            found = self._observed.get((name, *label))
            return Distribution() if found is None else found.copy()

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
