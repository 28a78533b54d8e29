"""What is measured: a model, sound, and how much is asked for; the same for every contender."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from quest22.records import SAMPLE_RATE_HZ, WINDOW_SAMPLES, Samples

TASTE_CLIPS = 16
MEASURES = ("throughput", "latency", "streamed", "start", "script")

WorkloadKind: TypeAlias = Literal["batch", "single", "stream"]
"""Many clips in memory; the first clip alone, for its latency; Parquet files over HTTP."""


@dataclass(frozen=True, slots=True)
class Workload:
    """``sounds`` is a .npy of all clips one after another, float32 at 16 kHz, of ``lengths``.

    ``tokens`` is how many a window must have, exactly; None: as many as there are. ``scratch`` is
    a folder for converted models and whatever else a contender makes.
    """

    model: str
    sounds: str
    lengths: tuple[int, ...]
    scratch: str
    manner: WorkloadKind = "batch"
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

    def with_choice(self, compute_type: str, batch_size: int | None) -> Workload:
        return replace(self, compute_type=compute_type, batch_size=batch_size)

    def taste(self) -> Workload:
        """A little of it, enough to tell what is faster."""
        return replace(self, lengths=self.lengths[:TASTE_CLIPS])

    def flat(self) -> Samples:
        """All clips, one after another."""
        samples: Samples = np.load(self.sounds, mmap_mode="r")[: sum(self.lengths)]
        return np.array(samples)

    def clips(self) -> list[Samples]:
        """The clips that are to be heard: for ``single`` only the first, up to 30 s of it."""
        ends = np.cumsum((0, *self.lengths)).tolist()
        flat = self.flat()  # once: a clip is a view, which holds on to all of it
        clips = [flat[start:end] for start, end in pairwise(ends)]
        return [clips[0][:WINDOW_SAMPLES]] if self.manner == "single" else clips

    def pieces(self) -> list[Samples]:
        """The same, in pieces of at most 30 s, for programs that cut nothing themselves."""
        return [
            clip[start : start + WINDOW_SAMPLES]
            for clip in self.clips()
            for start in range(0, len(clip), WINDOW_SAMPLES)
        ]

    @property
    def audio_s(self) -> float:
        """Seconds of sound in :meth:`clips`."""
        if self.manner == "single":
            return min(self.lengths[0], WINDOW_SAMPLES) / SAMPLE_RATE_HZ
        return sum(self.lengths) / SAMPLE_RATE_HZ

    def folder(self, name: str) -> Path:
        """A path in ``scratch`` that belongs to this model."""
        return Path(self.scratch) / f"{Path(self.model).name}-{name}"
