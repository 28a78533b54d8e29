"""The clips of a benchmark: synthetic ones, or the user's files; stored for a workload."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from quest22.audio.decode import MediaDecoder
from quest22.audio.pool import decode_ahead
from quest22.errors import ClipError, UsageError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Audio, Samples
from quest22.runtime.build import file_source
from quest22.settings import AudioSettings
from quest22.source.io.retry import RetryingClient

ROW_GROUP_ROWS = 50


def synthetic_clips(count: int, duration_s: float) -> list[Samples]:
    """Different pulsing, rising tones with noise, about as hard for a codec as speech."""
    sample_count = round(duration_s * SAMPLE_RATE_HZ)
    time_s = (np.arange(sample_count) / SAMPLE_RATE_HZ).astype(np.float32)
    return [_tone(number, time_s) for number in range(count)]


def _tone(number: int, time_s: Samples) -> Samples:
    tone = 0.3 * np.sin(2 * np.pi * (100 + 17 * (number % 50) + 5 * time_s) * time_s)
    pulse = np.sin(2 * np.pi * (1 + number % 3) * time_s) > 0
    noise = np.random.default_rng(number).standard_normal(len(time_s), dtype=np.float32)
    clip: Samples = (tone * pulse + 0.02 * noise).astype(np.float32)
    return clip


def read_clips(inputs: Sequence[str], limit_s: float) -> list[Samples]:
    """Decode up to ``limit_s`` seconds of the user's files; skips clips that cannot be decoded.

    Raises :class:`UsageError` if there is no audio at all.
    """
    metrics, settings = Metrics(), AudioSettings()
    decoder = MediaDecoder(settings, metrics)
    files = file_source(inputs, RetryingClient(metrics=metrics))
    clips: list[Samples] = []
    remaining = round(limit_s * SAMPLE_RATE_HZ)
    with closing(decode_ahead(files, decoder, settings, metrics)) as audios:
        for audio in audios:
            clip = _decoded(audio) if isinstance(audio, Audio) else None
            if clip is not None and len(clip):
                clips.append(clip[:remaining])
                remaining -= len(clips[-1])
            if remaining <= 0:
                break
    if not clips:
        raise UsageError(f"no audio in {', '.join(inputs)}: expected files that can be decoded")
    return clips


def _decoded(audio: Audio) -> Samples | None:
    try:
        blocks = list(audio.blocks)
    except ClipError:
        return None
    return np.concatenate(blocks) if blocks else None


def write_samples(path: Path, clips: Sequence[Samples]) -> None:
    """All clips in a row, as a workload reads them."""
    np.save(path, np.concatenate(clips))


def write_parquet(path: Path, clips: Sequence[Samples]) -> None:
    """A dataset of FLAC clips with empty texts, in the form of the Hub's datasets."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"id": str(number), "audio": {"bytes": _flac(clip), "path": f"{number}.flac"}, "text": ""}
        for number, clip in enumerate(clips)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=ROW_GROUP_ROWS)


def _flac(clip: Samples) -> bytes:
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, clip, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return content.getvalue()
