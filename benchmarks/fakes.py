"""A pipeline with a fake engine of known cost; everything but engine and strategy is real."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from quest22.audio.decode import MediaDecoder
from quest22.audio.pool import decode_ahead
from quest22.metrics import Metrics
from quest22.records import Clip, DecodingOptions, Hypothesis, Partial, Samples, Transcript, Window
from quest22.runtime.ordered import OrderedDriver
from quest22.settings import AudioSettings, DatasetSettings, MemorySettings
from quest22.source.dataset import DatasetSource
from quest22.source.io.retry import NetworkSettings, RetryingClient


class FakeEngine:
    """Returns empty hypotheses and takes ``batch_s`` for each batch."""

    batch_size = 8
    batches_in_flight = 1

    def __init__(self, batch_s: float = 0.0) -> None:
        self._batch_s = batch_s
        self.start_s: float | None = None
        self.busy_s = 0.0
        self.end_s = 0.0

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        return True

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        start_s = time.perf_counter()
        time.sleep(self._batch_s)
        self.end_s = time.perf_counter()
        if self.start_s is not None:  # the wait for the first batch does not count
            self.busy_s += self.end_s - start_s
        self.start_s = self.start_s or self.end_s
        return [Hypothesis((), "en", 1.0, 0.0, 0.0) for _ in windows]

    def begin(self, windows: Sequence[Window]) -> Sequence[Window]:
        return windows

    def close(self) -> None:
        return

    def abandon(self, ticket: Sequence[Window]) -> None:
        return

    def finish(self, ticket: Sequence[Window]) -> list[Hypothesis]:
        return self.run(ticket)

    @property
    def share(self) -> float:
        """The fraction of the time since the first batch that it was busy."""
        return self.busy_s / max(self.end_s - (self.start_s or 0.0), 1e-9)


class _BlockWindows:
    """Makes every block of audio a window."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._length = 0
        self._count = 0
        self._pending = 0
        self._flushed = False

    wants_audio = True

    def feed(self, samples: Samples) -> list[Window]:
        self._length += len(samples)
        self._pending += 1
        self._count += 1
        return [Window(samples, 0.0, DecodingOptions(), self._count - 1)]

    def flush(self) -> list[Window]:
        self._flushed = True
        return []

    def add_result(self, _window: Window, _hypothesis: Hypothesis) -> list[Window]:
        self._pending -= 1
        return []

    @property
    def finished(self) -> bool:
        return self._flushed and not self._pending

    def partial(self) -> Partial:
        return Partial()

    def close(self) -> Transcript:
        clip = self._clip
        return Transcript(
            clip.key, clip.name, "", "en", 1.0, self._length / 16_000, (), clip.origin
        )


class Strategy:
    """Opens clips whose windows are blocks of audio."""

    def open(self, clip: Clip) -> _BlockWindows:
        return _BlockWindows(clip)


def results(
    dataset: DatasetSettings,
    engine: FakeEngine,
    metrics: Metrics,
    memory: MemorySettings | None = None,
) -> Iterator[Any]:
    """The results of a run over a dataset: source, decoding threads, scheduler."""
    bounds, settings = memory or MemorySettings.of(), AudioSettings()
    source = DatasetSource(
        dataset, metrics, client=RetryingClient(NetworkSettings().within(bounds), metrics)
    )
    audios = decode_ahead(source, MediaDecoder(settings, metrics), settings, metrics, bounds)
    return OrderedDriver(engine, Strategy(), metrics).run(audios)
