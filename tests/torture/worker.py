"""One run into a folder with an engine that costs nothing, to be killed.

All but the engine and the long-form strategy is the product: the source, the decoding threads, the
scheduler, the sinks, the journal, the steps of a run and the command's exit code.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from quest22.cli.exits import Exit
from quest22.cli.output_flags import ReportFlags
from quest22.cli.run import follow
from quest22.cli.stream import journaled_reporter
from quest22.metrics import Metrics
from quest22.protocols import LongForm
from quest22.records import (
    Clip,
    DecodingOptions,
    Hypothesis,
    Partial,
    Samples,
    Segment,
    Transcript,
    Window,
)
from quest22.runs import journal
from quest22.runs.events import OnEvent, ignore_event
from quest22.runs.journaled_run import run
from quest22.runs.retry_failed import retry
from quest22.runs.settings import RunSettings
from quest22.runs.store import LocalRunStore
from quest22.runs.summary import RunStats, RunSummary
from quest22.runtime.build import Connect, Pipeline, client_within
from quest22.runtime.turns import EngineTurns
from quest22.settings import (
    DatasetSettings,
    DecodingSettings,
    EngineSettings,
    MemorySettings,
    PipelineSettings,
)
from quest22.source.io.retry import NetworkSettings, RetryingClient
from quest22.system.forks import HomeProcess

FORMATS = ("jsonl", "parquet", "srt", "txt")
BATCH_S = 0.004


class DigestEngine:
    """Gives as tokens of a window a digest of its samples."""

    batch_size = 4
    batches_in_flight = 1

    def same_in_any_batch(self, windows: Sequence[Window]) -> bool:
        return False

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        time.sleep(BATCH_S)
        return [_hypothesis(window) for window in windows]

    def close(self) -> None:
        self.closed = True


class MixingEngine(DigestEngine):
    """A digest of all windows of the batch, as reduced precisions depend a little on all."""

    def run(self, windows: Sequence[Window]) -> list[Hypothesis]:
        time.sleep(BATCH_S)
        batch = b"".join(window.samples.tobytes() for window in windows)
        return [_hypothesis(window, batch) for window in windows]


def _hypothesis(window: Window, batch: bytes = b"") -> Hypothesis:
    digest = hashlib.sha256(window.samples.tobytes() + batch).digest()
    return Hypothesis(tuple(digest[:6]), "en", digest[6] / 256, -digest[7] / 99, digest[8] / 256)


class DigestMachine:
    """Every block of sound is a window; the text is that of all windows."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._windows = 0
        self._flushed = False
        self._results: dict[int, tuple[Window, Hypothesis]] = {}

    def feed(self, samples: Samples) -> list[Window]:
        self._windows += 1
        return [Window(samples, 0.0, DecodingOptions(), self._windows - 1)]

    def flush(self) -> list[Window]:
        self._flushed = True
        return []

    def add_result(self, window: Window, hypothesis: Hypothesis) -> list[Window]:
        self._results[window.index] = (window, hypothesis)
        return []

    @property
    def wants_audio(self) -> bool:
        return True

    @property
    def finished(self) -> bool:
        return self._flushed and len(self._results) == self._windows

    def partial(self) -> Partial:
        return Partial(interim=" heard" * len(self._results))

    def close(self) -> Transcript:
        segments = tuple(
            Segment(
                0.0,
                window.duration_s,
                bytes(hypothesis.tokens).hex(),
                hypothesis.tokens,
                hypothesis.avg_logprob,
            )
            for window, hypothesis in (self._results[index] for index in sorted(self._results))
        )
        return Transcript(
            key=self._clip.key,
            name=self._clip.name,
            text=" ".join(segment.text for segment in segments),
            language="en",
            language_probability=1.0,
            duration_s=sum(window.duration_s for window, _ in self._results.values()),
            segments=segments,
            origin=self._clip.origin,
            reference=self._clip.reference,
            columns=self._clip.columns,
        )


class DigestStrategy:
    def open(self, clip: Clip) -> LongForm:
        return DigestMachine(clip)


class DigestPipeline(Pipeline):
    """A pipeline without a checkpoint."""

    engine = DigestEngine

    def __init__(self, settings: PipelineSettings, metrics: Metrics) -> None:
        self.home = HomeProcess()
        self.settings = settings
        self.metrics = metrics
        self.checkpoint_name, self.checkpoint_revision = "digest", None
        self.compute_type, self.weights_fingerprint = settings.engine.compute_type, "digest"
        self.engine_name, self.device = "native", "cpu"
        self.batch_size = DigestEngine.batch_size
        self.home = HomeProcess()
        self._engine = self.engine()
        self._is_ahead = False
        self._turns = EngineTurns(self._engine)
        self._strategy = DigestStrategy()
        self._opening = threading.Lock()


class MixingPipeline(DigestPipeline):
    """A pipeline whose results depend on which windows share a batch."""

    engine = MixingEngine


@dataclass(frozen=True)
class RunSpec:
    """One run: what it reads, where it writes, and where it is to die.

    It reads the Parquet files in ``data``, or those of ``urls``; ``dataset`` and ``changes`` are
    settings that differ from the usual.
    """

    data: Path
    folder: Path
    urls: tuple[str, ...] = ()
    commit_s: float = 0.02
    die_at: int | None = None
    retry: bool = False
    accept_missing: bool = False
    load: type[DigestPipeline] = MixingPipeline
    connect: Connect = client_within
    dataset: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> RunSettings:
        files = self.urls or (f"{self.data}/*.parquet",)
        rows = DatasetSettings("parquet", data_files=files, keep_columns=("speaker",))
        pipeline = PipelineSettings(
            EngineSettings("digest", compute_type="float32"), DecodingSettings(timestamps=True)
        )
        usual = RunSettings(replace(rows, **self.dataset), pipeline, FORMATS)
        return replace(usual, **self.changes)

    def run(self, on_event: OnEvent = ignore_event) -> RunSummary:
        """Begin or continue the run, or retry its failures."""
        store = LocalRunStore(self.folder)
        if self.retry:
            return retry(
                store,
                None,
                on_event,
                stats=RunStats(accepts_missing=self.accept_missing),
                load=self.load,
                connect=self.connect,
            )
        return run(self.settings(), store, on_event, load=self.load, connect=self.connect)

    def command(self, report: ReportFlags | None = None) -> Exit:
        """The same as a command does it, which reports and gives an exit code."""
        folder = LocalRunStore(self.folder).for_shard(self.settings().dataset).folder
        return follow(self.run, journaled_reporter(report or ReportFlags(), "torture", folder))


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


def perform(spec: RunSpec) -> int:
    """Carry out a run in this process, which commits often and writes fast."""
    journal.COMMIT_SECONDS = spec.commit_s
    os.fsync = lambda _: None  # what the system was handed survives a kill; only power needs more
    if spec.die_at is not None:
        die_at_step(spec.die_at)
    return int(replace(spec, connect=_hasty_network).command(ReportFlags(quiet=True)))


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
