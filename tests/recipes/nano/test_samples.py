from __future__ import annotations

import io
import re

import pyarrow.parquet as pq
import pytest
import soundfile
from datasets import Audio, Features

from recipes.nano.grammar.sentences import held_out
from recipes.nano.samples import FOLDER


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    shards = sorted(FOLDER.glob("*.parquet"))
    return [row for path in shards for row in pq.read_table(path).to_pylist()]


def test_the_shards_name_their_audio_feature_and_have_several_row_groups() -> None:
    for path in FOLDER.glob("*.parquet"):
        features = Features.from_arrow_schema(pq.read_schema(path))
        assert isinstance(features["audio"], Audio)
        assert pq.ParquetFile(path).metadata.num_row_groups > 1


def test_clips_are_many_in_both_languages_and_some_are_long(rows: list[dict]) -> None:
    assert len(rows) == 40
    assert {row["language"] for row in rows} == {"en", "ru"}
    assert sum(row["seconds"] > 60 for row in rows) >= 4


def test_containers_and_rates_are_as_mixed_as_in_the_world(rows: list[dict]) -> None:
    opened = [soundfile.info(io.BytesIO(row["audio"]["bytes"])) for row in rows]
    assert {one.format for one in opened} == {"WAV", "FLAC", "MP3", "OGG"}
    assert {one.samplerate for one in opened} >= {8000, 16000, 22050, 44100, 48000}
    for one, row in zip(opened, rows, strict=True):
        assert one.duration == pytest.approx(row["seconds"], abs=0.1)


def test_every_sentence_is_held_out(rows: list[dict]) -> None:
    for row in rows:
        sentences = re.findall(r"[^.!?]+[.!?]", row["text"])
        assert sentences
        assert all(held_out(sentence.strip()) for sentence in sentences)
