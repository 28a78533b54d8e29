"""Sound to measure with: made up, in memory or as a Parquet file of FLAC clips."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quest22.records import SAMPLE_RATE_HZ, Samples

ROWS_A_GROUP = 50


def made_up_clips(count: int, duration_s: float) -> list[Samples]:
    """Pulsing, rising tones with noise, each of its own; about as hard for a codec as speech."""
    count_of_samples = round(duration_s * SAMPLE_RATE_HZ)
    time_s = (np.arange(count_of_samples) / SAMPLE_RATE_HZ).astype(np.float32)
    return [_tone(number, time_s) for number in range(count)]


def _tone(number: int, time_s: Samples) -> Samples:
    tone = 0.3 * np.sin(2 * np.pi * (100 + 17 * (number % 50) + 5 * time_s) * time_s)
    pulse = np.sin(2 * np.pi * (1 + number % 3) * time_s) > 0
    noise = np.random.default_rng(number).standard_normal(len(time_s), dtype=np.float32)
    made: Samples = (tone * pulse + 0.02 * noise).astype(np.float32)
    return made


def write_sounds(path: Path, clips: Sequence[Samples]) -> None:
    """All clips, one after another, as a workload wants them."""
    np.save(path, np.concatenate(clips))


def write_parquet(path: Path, clips: Sequence[Samples]) -> None:
    """A dataset of FLAC clips with their text, as the Hub has them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"id": str(number), "audio": {"bytes": _flac(clip), "path": f"{number}.flac"}, "text": ""}
        for number, clip in enumerate(clips)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=ROWS_A_GROUP)


def _flac(clip: Samples) -> bytes:
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, clip, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return content.getvalue()
