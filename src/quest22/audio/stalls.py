"""What the engine waits for, told truly: the network, the source's own work, or decoding."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from quest22.metrics import Metrics


class Stalls:
    """Splits the consumer's waits by what the threads that it waits for are doing meanwhile."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @contextmanager
    def on(self, name: str, threads: Collection[int]) -> Iterator[None]:
        """Count a wait for these threads (by ident).

        As long as the network keeps them waiting it is ``wait_network``, the rest is ``name``.
        Of several threads the mean counts.
        """
        begun_s, before_s = time.perf_counter(), self._kept_s(threads)
        yield
        waited_s = time.perf_counter() - begun_s
        network_s = min(max(self._kept_s(threads) - before_s, 0.0), waited_s)
        self._metrics.add_seconds("wait_network", network_s)
        self._metrics.add_seconds(name, waited_s - network_s)

    def _kept_s(self, threads: Collection[int]) -> float:
        return sum(map(self._metrics.network_wait_s, threads)) / max(len(threads), 1)
