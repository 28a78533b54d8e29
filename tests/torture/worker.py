"""One run of ``quest22 stream`` into a folder with an engine that costs nothing, to be killed.

All but the engine and the long-form strategy is the product: the source, the decoding threads, the
scheduler, the sinks, the journal and the command's own steps.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quest22.cli import continued
from quest22.cli.continued import Stream, perform_journaled
from quest22.cli.options import ModelFlags, SpeechFlags
from quest22.cli.output_options import OutputFlags, ReportFlags
from quest22.cli.retry import Retry
from quest22.cli.work import Work
from quest22.metrics import Metrics
from quest22.protocols import LongForm
from quest22.records import Clip, DecodingOptions, Hypothesis, Samples, Segment, Transcript, Window
from quest22.runs import journal
from quest22.runtime.build import Pipeline
from quest22.settings import DatasetSettings, EngineSettings, MemorySettings, PipelineSettings
from quest22.source.io.retry import NetworkSettings, RetryingClient

FORMATS = "jsonl,parquet,srt,txt"
BATCH_S = 0.004


class DigestEngine:
    """Hears in a window a digest of its samples."""

    batch_size = 4

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        time.sleep(BATCH_S)
        return [_heard(window) for window in windows]


class MixingEngine(DigestEngine):
    """Hears in a window a digest of all windows of the batch, as reduced precisions do a little."""

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        time.sleep(BATCH_S)
        batch = b"".join(window.samples.tobytes() for window in windows)
        return [_heard(window, batch) for window in windows]


def _heard(window: Window, batch: bytes = b"") -> Hypothesis:
    digest = hashlib.sha256(window.samples.tobytes() + batch).digest()
    return Hypothesis(tuple(digest[:6]), "en", digest[6] / 256, -digest[7] / 99, digest[8] / 256)


class DigestMachine:
    """Every block of sound is a window; the text is what was heard in them."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._asked = 0
        self._flushed = False
        self._heard: dict[int, tuple[Window, Hypothesis]] = {}

    def feed(self, samples: Samples) -> list[Window]:
        self._asked += 1
        return [Window(samples, 0.0, DecodingOptions(), self._asked - 1)]

    def flush(self) -> list[Window]:
        self._flushed = True
        return []

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        self._heard[window.index] = (window, hypothesis)
        return []

    @property
    def wants_audio(self) -> bool:
        return True

    @property
    def finished(self) -> bool:
        return self._flushed and len(self._heard) == self._asked

    def close(self) -> Transcript:
        segments = tuple(
            Segment(
                0.0, window.duration_s, bytes(heard.tokens).hex(), heard.tokens, heard.avg_logprob
            )
            for window, heard in (self._heard[index] for index in sorted(self._heard))
        )
        return Transcript(
            key=self._clip.key,
            name=self._clip.name,
            text=" ".join(segment.text for segment in segments),
            language="en",
            language_probability=1.0,
            duration_s=sum(window.duration_s for window, _ in self._heard.values()),
            segments=segments,
            origin=self._clip.origin,
            reference=self._clip.reference,
            columns=self._clip.columns,
        )


class DigestStrategy:
    def open(self, clip: Clip) -> LongForm:
        return DigestMachine(clip)


class DigestJob(Pipeline):
    """A job without a checkpoint."""

    engine = DigestEngine

    def __init__(self, settings: PipelineSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.checkpoint_name, self.checkpoint_revision = "digest", None
        self.compute_type, self.weights_fingerprint = settings.engine.compute_type, "digest"
        self.batch_size = DigestEngine.batch_size
        self._engine = self.engine()
        self._strategy = DigestStrategy()


class MixingJob(DigestJob):
    """A job whose results depend on which windows share a batch."""

    engine = MixingEngine


@dataclass(frozen=True)
class Errand:
    """One run: what it reads, where it writes, and where it is to die.

    It reads the Parquet files in ``data``, or those of ``urls``.
    """

    data: Path
    folder: Path
    urls: tuple[str, ...] = ()
    formats: str = FORMATS
    commit_s: float = 0.02
    die_at: int | None = None
    restart: bool = False
    retry: bool = False
    load: type[DigestJob] = MixingJob

    def stream(self) -> Stream:
        work = Work(
            ModelFlags(compute_type="float32"),
            SpeechFlags(),
            OutputFlags([self.formats], self.folder, overwrite=self.restart),
            ReportFlags(quiet=True),
            "jsonl",
            timestamps=False,
        )
        files = self.urls or (f"{self.data}/*.parquet",)
        rows = DatasetSettings("parquet", data_files=files, keep_columns=("speaker",))
        return Stream(work, rows, "torture", self.folder, "quest22 stream", self.load)


def _hasty_network(bounds: MemorySettings, metrics: Metrics) -> RetryingClient:
    """As patient as the usual one, but with short pauses, and soon aware of silence."""
    hasty = NetworkSettings(
        unknown_host_timeout_s=60.0,
        first_delay_s=0.005,
        max_delay_s=0.05,
        read_timeout_s=0.3,
        range_bytes=32 << 10,
    )
    return RetryingClient(hasty.within(bounds), metrics)


def settle_in(errand: Errand) -> None:
    """Make this process mark often, and write fast."""
    journal.COMMIT_SECONDS = errand.commit_s
    continued.client_within = _hasty_network
    os.fsync = lambda _: None  # what the system was handed survives a kill; only power needs more


def perform(errand: Errand) -> int:
    """Carry an errand out in this process."""
    settle_in(errand)
    if errand.die_at is not None:
        die_at_step(errand.die_at)
    if errand.retry:
        report = ReportFlags(quiet=True)
        return int(Retry(errand.folder, EngineSettings(), report, errand.load).perform())
    return int(perform_journaled(errand.stream()))


def die_at_step(step: int) -> None:
    """Kill this process just before its so-many-th change that a disk would see, from 0."""
    done = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changing(*args: Any, **named: Any) -> Any:
            nonlocal done
            if done == step:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1
            return change(*args, **named)

        return changing

    for owner, name in ((os, "fsync"), (os, "replace"), (os, "unlink"), (os, "rmdir")):
        setattr(owner, name, counted(getattr(owner, name)))
    for name in ("replace", "unlink", "write_bytes", "rename"):
        setattr(Path, name, counted(getattr(Path, name)))
