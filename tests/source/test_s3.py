"""Streaming from S3, whose stand-in is moto's server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quest22.errors import SourceError
from quest22.metrics import Metrics
from quest22.records import Clip, Failure
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from quest22.source.files import FilesSource
from tests.support import corpora
from tests.support.s3_server import s3_bucket

pytestmark = pytest.mark.slow

ROWS = corpora.samples(12)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket with two Parquet files, a tar, JSON lines and their sounds."""
    with s3_bucket("speech") as client:
        for path in _written(tmp_path_factory.mktemp("bucket")):
            client.upload_file(str(path), "speech", f"{path.parent.name}/{path.name}")
        yield "s3://speech"


def _written(folder: Path) -> list[Path]:
    corpora.write_parquet(folder / "rows" / "a-0.parquet", ROWS[:7])
    corpora.write_parquet(folder / "rows" / "a-1.parquet", ROWS[7:])
    corpora.write_tar(folder / "tars" / "a.tar", ROWS)
    corpora.write_sounds(folder / "lines", ROWS)
    corpora.write_jsonl(folder / "lines" / "a.jsonl", ROWS, lambda row: f"{row.id}.wav")
    return [path for path in folder.rglob("*") if path.is_file()]


def _heard(results: list[Clip | Failure]) -> list[tuple[str, str | None, bytes]]:
    return [(clip.key, clip.reference, _sound(clip)) for clip in results]  # type: ignore[union-attr]


def _sound(clip: Clip) -> bytes:
    if isinstance(clip.media, bytes):
        return clip.media
    with clip.media() as file:  # type: ignore[operator]
        return file.read()  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", ["rows/*.parquet", "tars/a.tar", "lines/a.jsonl"])
def test_datasets_stream_from_s3(bucket: str, path: str) -> None:
    source = DatasetSource(DatasetSettings(f"{bucket}/{path}"), Metrics())
    assert _heard(list(source)) == [(row.id, row.text, row.sound) for row in ROWS]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("lines", [f"{row.id}.wav" for row in ROWS]),
        ("lines/utt-00*.wav", [f"{row.id}.wav" for row in ROWS[:10]]),
        ("lines/utt-003.wav", ["utt-003.wav"]),
        ("*/utt-003.wav", ["lines/utt-003.wav"]),
    ],
)
def test_recordings_stream_from_s3(bucket: str, given: str, names: list[str]) -> None:
    clips = list(FilesSource([f"{bucket}/{given}"], metrics=Metrics()))
    assert [clip.name for clip in clips] == names
    sounds = {f"{row.id}.wav": row.sound for row in ROWS}
    assert [_sound(clip) for clip in clips] == [  # type: ignore[arg-type]
        sounds[name.removeprefix("lines/")] for name in names
    ]


def test_what_is_not_in_the_bucket(bucket: str) -> None:
    with pytest.raises(SourceError, match="no such file"):
        FilesSource([f"{bucket}/lines/none.wav"], metrics=Metrics())
    with pytest.raises(SourceError, match="no such file"):
        DatasetSource(DatasetSettings(f"{bucket}/none.parquet"), Metrics())
