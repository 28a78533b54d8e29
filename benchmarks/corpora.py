"""Datasets that are big where it matters, written into a folder."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

RATE_HZ = 16_000


def sound(seconds: float, seed: int) -> bytes:
    """Noise as WAV, which no codec makes smaller."""
    noise = np.random.default_rng(seed).normal(0, 3000, round(seconds * RATE_HZ)).astype("<i2")
    container = io.BytesIO()
    with wave.open(container, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(noise.tobytes())
    return container.getvalue()


def write_parquet(
    path: Path, clips: int, *, group: int, seconds: float, first: int = 0, pages: bool = False
) -> Path:
    """A file of ``clips`` rows, with ballast in a column that nobody needs.

    ``pages``: of a few rows each, as ``datasets`` writes them today; else one page a row group,
    as pyarrow has always written them.
    """
    sounds = [sound(seconds, seed) for seed in range(16)]
    writer: Any = None
    for begin in range(first, first + clips, group):
        part = range(begin, min(begin + group, first + clips))
        table = pa.table(
            {
                "id": [f"clip-{row}" for row in part],
                "audio": [{"bytes": sounds[row % 16], "path": None} for row in part],
                "ballast": [sounds[row % 16][:2000] for row in part],
            }
        )
        writer = writer or pq.ParquetWriter(
            path,
            table.schema,
            compression="snappy",
            use_dictionary=False,
            use_content_defined_chunking=pages,
        )
        writer.write_table(table, row_group_size=group)
    writer.close()
    return path


def needed_bytes(files: Sequence[Path]) -> int:
    """Bytes of the column chunks of id and sound."""
    total = 0
    for file in files:
        footer = pq.read_metadata(file)
        for group in range(footer.num_row_groups):
            chunks = [footer.row_group(group).column(n) for n in range(footer.num_columns)]
            wanted = [chunk for chunk in chunks if chunk.path_in_schema != "ballast"]
            total += sum(chunk.total_compressed_size for chunk in wanted)
    return total


def write_silence(path: Path, hours: float, rate_hz: int = 8_000) -> Path:
    """A 16-bit WAV whose sound takes no room on the disk."""
    size = round(hours * 3600) * rate_hz * 2
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16)
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form)
        file.write(struct.pack("<4sI", b"data", size))
        file.truncate(44 + size)
    return path


def write_lines(path: Path, sounds: Sequence[Path]) -> Path:
    """JSON lines that name recordings beside them."""
    path.write_text("".join(f"{json.dumps({'audio_filepath': each.name})}\n" for each in sounds))
    return path


def write_tar(path: Path, sounds: Sequence[Path]) -> Path:
    """A WebDataset shard of recordings."""
    with tarfile.open(path, "w") as archive:
        for each in sounds:
            archive.add(each, each.name)
    return path
