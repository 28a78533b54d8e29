"""What a benchmark runs: a model, clips and settings, the same for every program."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from quest22.records import SAMPLE_RATE_HZ, WINDOW_SAMPLES, Samples

TUNING_CLIPS = 16
MEASURES = ("throughput", "latency", "streamed", "start", "script")

WorkloadKind: TypeAlias = Literal["batch", "single", "stream"]
"""Many clips in memory; the first clip alone, for its latency; Parquet files over HTTP."""


@dataclass(frozen=True, slots=True)
class Workload:
    """``samples_file`` is a .npy of all clips in a row, float32 at 16 kHz, of ``lengths``.

    ``tokens`` is the exact number of new tokens in each window; None: until the text ends.
    ``scratch`` is a folder for converted models and logs.
    """

    model: str
    samples_file: str
    lengths: tuple[int, ...]
    scratch: str
    kind: WorkloadKind = "batch"
    tokens: int | None = None
    language: str | None = "en"
    compute_type: str = "auto"
    batch_size: int | None = None
    threads: int | None = None
    urls: tuple[str, ...] = ()
    exporter: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Workload:
        values = json.loads(text)
        for name in ("lengths", "urls"):
            values[name] = tuple(values[name])
        return cls(**values)

    def with_configuration(self, compute_type: str, batch_size: int | None) -> Workload:
        return replace(self, compute_type=compute_type, batch_size=batch_size)

    def tuning_sample(self) -> Workload:
        """The first few clips, enough to compare configurations."""
        return replace(self, lengths=self.lengths[:TUNING_CLIPS])

    def concatenated(self) -> Samples:
        """All clips in a row."""
        samples: Samples = np.load(self.samples_file, mmap_mode="r")[: sum(self.lengths)]
        return np.array(samples)

    def clips(self) -> list[Samples]:
        """The clips to transcribe: for ``single`` only the first, up to 30 s of it."""
        ends = np.cumsum((0, *self.lengths)).tolist()
        samples = self.concatenated()  # once, because each clip is a view that keeps all in memory
        clips = [samples[start:end] for start, end in pairwise(ends)]
        return [clips[0][:WINDOW_SAMPLES]] if self.kind == "single" else clips

    def windows(self) -> list[Samples]:
        """The clips in windows of at most 30 s, for programs that do not cut long audio."""
        return [
            clip[start : start + WINDOW_SAMPLES]
            for clip in self.clips()
            for start in range(0, len(clip), WINDOW_SAMPLES)
        ]

    @property
    def audio_s(self) -> float:
        """Seconds of audio in :meth:`clips`."""
        if self.kind == "single":
            return min(self.lengths[0], WINDOW_SAMPLES) / SAMPLE_RATE_HZ
        return sum(self.lengths) / SAMPLE_RATE_HZ

    def folder(self, name: str) -> Path:
        """A path in ``scratch`` that belongs to this model."""
        return Path(self.scratch) / f"{Path(self.model).name}-{name}"
