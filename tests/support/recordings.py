"""The sample recordings that ship with the demo."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import resources
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
import soxr

from quest22.records import SAMPLE_RATE_HZ, Samples

HOME = Path(str(resources.files("quest22")))
SAMPLES = sorted((HOME / "demo" / "samples").glob("*.parquet"))
NANO_IS_HERE = (HOME / "checkpoint" / "nano" / "config.json").is_file() and bool(SAMPLES)


def recordings(language: str, count: int | None = None, longest_s: float = 1e9) -> list[Samples]:
    """Some sample recordings in a language, or all: mono, 16 kHz."""
    heard = (_decoded(sound) for sound in _sounds(language))
    short = (each for each in heard if len(each) <= longest_s * SAMPLE_RATE_HZ)
    return list(islice(short, count))


def _sounds(language: str) -> Iterator[bytes]:
    from pyarrow import parquet

    for path in SAMPLES:
        for row in parquet.read_table(path).to_pylist():
            if row["language"] == language:
                yield row["audio"]["bytes"]


def _decoded(sound: bytes) -> Samples:
    samples, rate = soundfile.read(io.BytesIO(sound), dtype="float32")
    return soxr.resample(samples, rate, SAMPLE_RATE_HZ).astype(np.float32)
