"""Attributes the time that the engine waits: to the network, to the source, or to decoding."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from quest22.metrics import Metrics


class Stalls:
    """Splits the consumer's waits by what the threads it waits for are doing meanwhile."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @contextmanager
    def waiting(self, name: str, threads: Collection[int]) -> Iterator[None]:
        """Time a wait for these threads (by ident).

        While they wait for the network it counts as ``wait_network``, else as ``name``; of several
        threads the mean counts.
        """
        begun_s, before_s = time.perf_counter(), self._network_wait_s(threads)
        yield
        waited_s = time.perf_counter() - begun_s
        network_s = min(max(self._network_wait_s(threads) - before_s, 0.0), waited_s)
        self._metrics.add_seconds("wait_network", network_s)
        self._metrics.add_seconds(name, waited_s - network_s)

    def _network_wait_s(self, threads: Collection[int]) -> float:
        return sum(map(self._metrics.network_wait_s, threads)) / max(len(threads), 1)
