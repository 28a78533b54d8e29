"""An engine of known cost, and a run with it: all but engine and strategy is the product."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from quest22.audio.decode import MediaDecoder
from quest22.audio.pool import decode_ahead
from quest22.metrics import Metrics
from quest22.records import Clip, DecodingOptions, Hypothesis, Samples, Transcript, Window
from quest22.runtime.scheduler import Scheduler
from quest22.settings import AudioSettings, DatasetSettings, MemorySettings
from quest22.source.dataset import DatasetSource
from quest22.source.io.retry import NetworkSettings, RetryingClient


class FakeEngine:
    """Hears nothing, and takes ``batch_s`` for a batch."""

    batch_size = 8

    def __init__(self, batch_s: float = 0.0) -> None:
        self._batch_s = batch_s
        self.begun_s: float | None = None
        self.busy_s = 0.0
        self.ended_s = 0.0

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        begun_s = time.perf_counter()
        time.sleep(self._batch_s)
        self.ended_s = time.perf_counter()
        if self.begun_s is not None:  # what the first batch waited for is not counted
            self.busy_s += self.ended_s - begun_s
        self.begun_s = self.begun_s or self.ended_s
        return [Hypothesis((), "en", 1.0, 0.0, 0.0) for _ in windows]

    @property
    def share(self) -> float:
        """The part of the time since the first batch that it was at work."""
        return self.busy_s / max(self.ended_s - (self.begun_s or 0.0), 1e-9)


class _Machine:
    """Every block of sound is a window."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._length = 0
        self._asked = 0
        self._waiting = 0
        self._flushed = False

    wants_audio = True

    def feed(self, samples: Samples) -> list[Window]:
        self._length += len(samples)
        self._waiting += 1
        self._asked += 1
        return [Window(samples, 0.0, DecodingOptions(), self._asked - 1)]

    def flush(self) -> list[Window]:
        self._flushed = True
        return []

    def add_result(self, _window: Window, _hypothesis: Hypothesis) -> list[Window]:
        self._waiting -= 1
        return []

    @property
    def finished(self) -> bool:
        return self._flushed and not self._waiting

    def close(self) -> Transcript:
        clip = self._clip
        return Transcript(
            clip.key, clip.name, "", "en", 1.0, self._length / 16_000, (), clip.origin
        )


class Strategy:
    """Blocks of sound as windows."""

    def open(self, clip: Clip) -> _Machine:
        return _Machine(clip)


def results(
    dataset: DatasetSettings,
    engine: FakeEngine,
    metrics: Metrics,
    memory: MemorySettings | None = None,
) -> Iterator[Any]:
    """A run over a dataset: source, decoding threads, scheduler."""
    bounds, settings = memory or MemorySettings.of(), AudioSettings()
    source = DatasetSource(
        dataset, metrics, client=RetryingClient(NetworkSettings().within(bounds), metrics)
    )
    audios = decode_ahead(source, MediaDecoder(settings, metrics), settings, metrics, bounds)
    return Scheduler(engine, Strategy(), metrics).run(audios)
