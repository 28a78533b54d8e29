"""Prometheus metrics: the server's own counters, and the engines' measurements."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from quest22.metrics import BOUNDS, Distribution, Metrics
from quest22.version import __version__

Gauge: TypeAlias = tuple[str, str, Callable[[], float]]
"""Name, description, and a function that returns the value."""

BUSY_S = 60.0
"""The busy ratio covers this period."""

WAIT_CLASSES = ("live_final", "interactive", "file")

CLOSES = frozenset(range(1000, 1016))
"""The close codes of RFC 6455 and its registry."""

OTHER = "other"


class ServerMetrics:
    """The counters of one server, in a registry of its own; thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._audio = Counter(
            "quest22_audio_seconds",
            "Audio accepted from clients.",
            ("key", "api"),
            registry=self.registry,
        )
        self._rejected = Counter(
            "quest22_rejected",
            "Requests that were refused.",
            ("reason",),
            registry=self.registry,
        )
        self._requests = Counter(
            "quest22_requests",
            "Requests by HTTP status or websocket close code.",
            ("api", "status"),
            registry=self.registry,
        )
        self._dropped = Counter(
            "quest22_dropped_audio_seconds",
            "Live audio that arrived too fast and was dropped.",
            registry=self.registry,
        )

    def count_audio(self, key: str, api: str, seconds: float) -> None:
        """Count audio accepted from the holder of a key ("" without keys)."""
        self._audio.labels(key, api).inc(max(0.0, seconds))

    def count_rejected(self, reason: str) -> None:
        """Count a refused request."""
        self._rejected.labels(reason).inc()

    def count_request(self, api: str, status: int) -> None:
        """Count a request that has ended."""
        self._requests.labels(api, _status_label(status)).inc()

    def count_dropped(self, seconds: float) -> None:
        """Count dropped live audio."""
        self._dropped.inc(seconds)

    def watch(self, engines: Metrics, *gauges: Gauge) -> None:
        """Include the engines' measurements and these gauges in the output."""
        self.registry.register(_Watched(engines, gauges))

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self.registry)


class _Watched:
    """Collects the engines' measurements when Prometheus reads them."""

    def __init__(self, engines: Metrics, gauges: tuple[Gauge, ...]) -> None:
        self._engines = engines
        self._gauges = gauges
        self._busy = BusyRatio(lambda: engines.seconds().get("engine", 0.0))

    def collect(self) -> Iterator[Metric]:
        waits = HistogramMetricFamily(
            "quest22_queue_wait_seconds",
            "How long a clip waited for a place in a batch.",
            labels=("class",),
        )
        for each in WAIT_CLASSES:
            _add(waits, (each,), self._engines.distribution("queue_wait", each))
        yield waits
        yield self._histogram(
            "quest22_live_committed_latency_seconds",
            "From the arrival of a word to its commit.",
            self._engines.distribution("live_latency", "committed"),
        )
        yield self._histogram(
            "quest22_finalization_seconds",
            "From the arrival of a segment's last word to its final text.",
            self._engines.distribution("live_latency", "final"),
        )
        yield self._histogram(
            "quest22_batch_windows",
            "Windows per batch.",
            self._engines.distribution("batch_windows"),
        )
        busy = GaugeMetricFamily(
            "quest22_engine_busy_ratio", "Share of the last minute in which an engine ran."
        )
        busy.add_metric((), self._busy.read())
        yield busy
        version = GaugeMetricFamily("quest22_info", "The version.", labels=("version",))
        version.add_metric((__version__,), 1)
        yield version
        for name, text, read in self._gauges:
            gauge = GaugeMetricFamily(name, text)
            gauge.add_metric((), read())
            yield gauge

    def _histogram(self, name: str, text: str, found: Distribution) -> Metric:
        family = HistogramMetricFamily(name, text)
        _add(family, (), found)
        return family


def _add(family: HistogramMetricFamily, labels: tuple[str, ...], found: Distribution) -> None:
    count, buckets = 0, []
    for bound, number in zip((*map(str, BOUNDS), "+Inf"), found.ranges, strict=True):
        count += number
        buckets.append((bound, count))
    family.add_metric(labels, buckets, found.total)


def _status_label(status: int) -> str:
    """A label from a small set: clients may close a websocket with any code from 3000 to 4999."""
    return str(status) if status in CLOSES or status < min(CLOSES) else OTHER


class BusyRatio:
    """The share of the last minute in which the engine ran, from occasional readings."""

    def __init__(
        self, seconds: Callable[[], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._readings = deque([(clock(), seconds())])

    def read(self) -> float:
        """The ratio since the newest reading that is at least a minute old, or the first."""
        now, busy_s = self._clock(), self._seconds()
        while len(self._readings) > 1 and self._readings[1][0] <= now - BUSY_S:
            self._readings.popleft()
        self._readings.append((now, busy_s))
        began, begun_s = self._readings[0]
        return min(1.0, (busy_s - begun_s) / (now - began)) if now > began else 0.0
