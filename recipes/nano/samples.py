"""``python -m recipes.nano.samples``: the small embedded dataset that ``demo`` streams.

About 40 clips of held-out sentences, short and long, in many containers and sampling rates, as
Parquet shards with an ``Audio`` feature: what a dataset of the Hub looks like.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import soxr
from datasets import Audio, Features, Value

from recipes.nano.acoustics import RATE_HZ, coloured, mixed, room
from recipes.nano.config import ROOT, Config, load
from recipes.nano.grammar.sentences import held_out_sentences
from recipes.nano.narration import Narration, narrate
from recipes.nano.synthesis.voices import Speaker, known_voice, unseen_voice

FOLDER = ROOT / "src" / "quest22" / "demo" / "samples"
SHARDS, ROWS_A_GROUP, SEED = 3, 5, 8128
FEATURES = Features(
    {
        "id": Value("string"),
        "audio": Audio(),
        "text": Value("string"),
        "language": Value("string"),
        "voice": Value("string"),
        "seconds": Value("float32"),
    }
)


@dataclass(frozen=True, slots=True)
class Take:
    """One clip to record: how many sentences, by how many speakers, in which container."""

    sentences: int
    speakers: int
    rate_hz: int
    suffix: str
    subtype: str


WAV, FLAC, MP3, OPUS = (
    ("wav", "PCM_16"), ("flac", "PCM_16"), ("mp3", "MPEG_LAYER_III"), ("ogg", "OPUS"),
)  # fmt: skip
SHORT = (
    Take(1, 1, 16000, *WAV), Take(1, 1, 8000, *WAV), Take(2, 1, 16000, *FLAC),
    Take(2, 1, 22050, *FLAC), Take(1, 1, 44100, *FLAC), Take(3, 1, 48000, *OPUS),
    Take(2, 2, 24000, *OPUS), Take(3, 1, 44100, *MP3), Take(4, 2, 22050, *MP3),
    Take(6, 2, 16000, *OPUS), Take(1, 1, 8000, "wav", "ULAW"), Take(8, 3, 48000, *OPUS),
    Take(5, 1, 16000, *MP3), Take(2, 1, 11025, *WAV), Take(1, 1, 48000, *FLAC),
    Take(4, 2, 16000, *OPUS), Take(3, 1, 32000, *MP3),
)  # fmt: skip
LONG = (Take(24, 3, 48000, *OPUS), Take(34, 2, 22050, *MP3), Take(54, 4, 48000, *OPUS))
COMPRESSION = {"MPEG_LAYER_III": 0.8, "OPUS": 0.95}


def encoded(narration: Narration, take: Take) -> bytes:
    """The narration in the take's container."""
    sound = soxr.resample(narration.samples, RATE_HZ, take.rate_hz, quality="HQ")
    file = io.BytesIO()
    level = COMPRESSION.get(take.subtype)
    container = take.suffix.upper()
    soundfile.write(
        file, np.clip(sound, -1, 1), take.rate_hz, format=container, subtype=take.subtype,
        compression_level=level,
    )  # fmt: skip
    return file.getvalue()


def clips(config: Config) -> Iterator[dict[str, Any]]:
    """Every clip of the dataset as a row, languages alternating, long ones in between."""
    speaker, rng = Speaker(config.cache / "espeak", config.seed), random.Random(SEED)
    noise = np.random.default_rng(SEED)
    streams = {language: held_out_sentences(SEED, language) for language in ("en", "ru")}
    takes = [*SHORT[:6], LONG[0], *SHORT[6:12], LONG[1], *SHORT[12:], LONG[2]]
    for index, take in enumerate(takes):
        for language, stream in streams.items():
            casting = unseen_voice if index % 8 == 7 else known_voice
            narration = narrate(
                speaker, list(islice(stream, take.sentences)), language, casting, rng,
                speakers=take.speakers,
            )  # fmt: skip
            narration = _in_the_world(narration, index, noise)
            key = f"{language}-{index:02d}"
            audio = {"bytes": encoded(narration, take), "path": f"{key}.{take.suffix}"}
            yield {
                "id": key, "audio": audio, "text": narration.text, "language": language,
                "voice": ", ".join(sorted({one.voice for one in narration.said})),
                "seconds": len(narration.samples) / RATE_HZ,
            }  # fmt: skip


def _in_the_world(narration: Narration, index: int, rng: np.random.Generator) -> Narration:
    """Every third clip in a room, every fourth with a little noise."""
    sound = narration.samples
    if index % 3 == 2:
        sound = room(sound, rng)[: len(sound)]
    if index % 4 == 3:
        sound = mixed(sound, coloured(len(sound) / RATE_HZ, 1.0, rng), 22.0)
    return Narration(sound, narration.said, narration.language)


def write(rows: list[dict[str, Any]]) -> None:
    """Spread the rows over Parquet shards of several row groups."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    schema = FEATURES.arrow_schema
    for shard in range(SHARDS):
        own = rows[shard * len(rows) // SHARDS : (shard + 1) * len(rows) // SHARDS]
        path = FOLDER / f"test-{shard:05d}-of-{SHARDS:05d}.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for begin in range(0, len(own), ROWS_A_GROUP):
                group = own[begin : begin + ROWS_A_GROUP]
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
        print(f"{path.name}: {len(own)} clips, {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Record and write the dataset."""
    rows = list(clips(load()))
    write(rows)
    print(f"{len(rows)} clips, {sum(row['seconds'] for row in rows) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
