"""Small datasets of every kind that the product streams, written into a folder by tests."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Sample:
    """A row of a test dataset."""

    id: str
    text: str
    sound: bytes


def wav_bytes(samples: int = 1600, seed: int = 0) -> bytes:
    """Noise as a mono 16 kHz WAV file."""
    noise = np.random.default_rng(seed).normal(0, 3000, samples).astype("<i2")
    container = io.BytesIO()
    with wave.open(container, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(noise.tobytes())
    return container.getvalue()


def samples(count: int, start: int = 0) -> list[Sample]:
    """Rows whose ids, texts and sounds all differ."""
    return [
        Sample(f"utt-{i:03d}", f"sentence number {i}", wav_bytes(seed=i))
        for i in range(start, start + count)
    ]


def write_parquet(path: Path, rows: Sequence[Sample], *, group: int = 4, ballast: int = 0) -> None:
    """Parquet as ``push_to_hub`` writes it; ``ballast`` bytes a row in a column nobody needs."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Audio, Features, Value

    features = Features(
        {
            "id": Value("string"),
            "audio": Audio(sampling_rate=16_000),
            "text": Value("string"),
            "speaker": Value("int64"),
            "ballast": Value("binary"),
        }
    )
    schema = features.arrow_schema
    noise = np.random.default_rng(0)
    table = pa.table(
        {
            "id": [row.id for row in rows],
            "audio": pa.array(
                [{"bytes": row.sound, "path": f"{row.id}.wav"} for row in rows],
                type=schema.field("audio").type,
            ),
            "text": [row.text for row in rows],
            "speaker": list(range(len(rows))),
            "ballast": [noise.bytes(ballast) for _ in rows],
        },
        schema=schema,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)


def write_tar(path: Path, rows: Sequence[Sample], *, as_json: bool = False) -> None:
    """A WebDataset shard: ``id.wav`` beside ``id.txt`` or ``id.json``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for row in rows:
            text = json.dumps({"text": row.text, "speaker": "a"}) if as_json else row.text
            add_member(archive, f"{row.id}.{'json' if as_json else 'txt'}", text.encode())
            add_member(archive, f"{row.id}.wav", row.sound)


def add_member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Put one file into a tar."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def write_sounds(folder: Path, rows: Sequence[Sample]) -> None:
    """One WAV file a row."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        (folder / f"{row.id}.wav").write_bytes(row.sound)


def write_jsonl(path: Path, rows: Sequence[Sample], sound: Callable[[Sample], str]) -> None:
    """JSON lines in NeMo's names; ``sound`` tells each row's path or URL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps({"id": row.id, "audio_filepath": sound(row), "text": row.text}) for row in rows
    ]
    path.write_text("\n".join(lines) + "\n")


def write_table(path: Path, rows: Sequence[Sample], names: tuple[str, str, str]) -> None:
    """CSV, or TSV by its suffix; ``names`` are the columns of id, path and text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(names)
        writer.writerows((row.id, f"clips/{row.id}.wav", row.text) for row in rows)


def write_audiofolder(folder: Path, rows: Sequence[Sample]) -> None:
    """Sound files and their ``metadata.csv``."""
    write_sounds(folder, rows)
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file_name", "transcription"))
        writer.writerows((f"{row.id}.wav", row.text) for row in rows)
