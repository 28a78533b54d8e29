"""Estimates how long a new request would wait, from recent and current waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median

from quest22.metrics import Metrics
from quest22.runtime.loop import TranscriptionLoop

WAITS_S = 60.0
"""Older waits do not count."""

LATENCIES_S = 15.0
MIN_LATENCIES = 5


def _no_loops() -> Iterable[TranscriptionLoop]:
    return ()


@dataclass(slots=True)
class Load:
    """Reads the engines' metrics; ``now`` is a time of :func:`time.monotonic`."""

    metrics: Metrics = field(default_factory=Metrics)
    loops: Callable[[], Iterable[TranscriptionLoop]] = _no_loops

    def wait_s(self, now: float) -> float:
        """How long a new recording would wait for its first window.

        0 if no recording is waiting. Otherwise the longest of the current and recent waits, because
        a new recording would be the last in the queue.
        """
        going_on = max((loop.newcomers_wait_s for loop in self.loops()), default=0.0)
        if not going_on:
            return 0.0
        return max(going_on, *self.metrics.distribution("first_wait").since(now - WAITS_S), 0.0)

    def latency_s(self, now: float) -> float:
        """The median latency of recently committed words; 0 if there are few."""
        values = self.metrics.distribution("live_latency", "committed").since(now - LATENCIES_S)
        return median(values) if len(values) >= MIN_LATENCIES else 0.0
