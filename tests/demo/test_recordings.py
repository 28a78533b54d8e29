"""What the demo hears: the samples, a folder with and without texts, and people on the Hub."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from quest22.demo import recordings
from quest22.demo.recordings import count_rows, folder_recordings, sample_files, sample_recordings
from quest22.demo.server import RangeServer
from quest22.errors import SourceError, UsageError
from quest22.metrics import Metrics
from quest22.runtime.build import client_within, dataset_source, file_source
from quest22.settings import DatasetSettings, MemorySettings
from tests.support.corpora import samples, wav_bytes, write_parquet
from tests.support.hub import Hub, files_of

CARD = """---
configs:
- config_name: clean
  data_files:
  - split: validation
    path: clean/validation-*
---
"""
SCRIPT = """
from quest22.demo.recordings import people_recordings
from quest22.metrics import Metrics
from quest22.runtime.build import client_within, dataset_source
from quest22.settings import MemorySettings

class Listing:
    def stream(self, dataset):
        return dataset_source(dataset, client_within(MemorySettings.of(), Metrics()))

for clip in people_recordings(take=2).start(Listing(), ""):
    print(clip.reference)
"""


class Listing:
    """A pipeline's place in a demo; gives the clips themselves."""

    def __init__(self) -> None:
        self._client = client_within(MemorySettings.of(), Metrics())

    def stream(self, dataset: DatasetSettings):
        return dataset_source(dataset, self._client)

    def files(self, inputs):
        return file_source(inputs, self._client)


def clips_of(found: recordings.Recordings):
    assert found.served is not None
    with RangeServer(found.served) as server:
        return [(clip.name, clip.reference) for clip in found.start(Listing(), server.url)]  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "more").mkdir()
    for name in ("b.wav", "a 1.wav", "more/ü.wav"):
        (tmp_path / name).write_bytes(wav_bytes(1600))
    return tmp_path


def test_the_samples_are_there() -> None:
    assert count_rows(sample_files()) >= 10
    found = clips_of(sample_recordings(take=2))
    assert len(found) == 2
    assert all(reference for _, reference in found)


def test_an_installation_without_samples(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    with pytest.raises(SourceError, match="reinstall quest22"):
        sample_files()


def test_a_folder_s_recordings_are_found_by_their_names(folder: Path) -> None:
    found = folder_recordings(folder)
    assert (found.described, found.total) == (f"3 recordings of {folder}", 3)
    assert [name for name, _ in clips_of(found)] == ["a 1.wav", "b.wav", "ü.wav"]
    assert len(clips_of(folder_recordings(folder, take=1))) == 1


def test_texts_come_from_the_metadata(folder: Path) -> None:
    (folder / "metadata.csv").write_text(
        "file_name,transcription\na 1.wav,one\nb.wav,two\nmore/ü.wav,three\n", encoding="utf-8"
    )
    assert clips_of(folder_recordings(folder, take=1)) == [("a 1.wav", "one")]
    assert dict(clips_of(folder_recordings(folder))) == {
        "a 1.wav": "one",
        "b.wav": "two",
        "more/ü.wav": "three",
    }


def test_what_is_no_folder_of_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no audio or video files found"):
        folder_recordings(tmp_path)
    with pytest.raises(UsageError, match="is no folder: expected one of recordings"):
        folder_recordings(tmp_path / "absent")


@pytest.mark.slow
def test_people_are_streamed_from_the_hub(tmp_path: Path) -> None:
    written = tmp_path / "files" / "clean"
    written.mkdir(parents=True)
    write_parquet(written / "validation-00000-of-00001.parquet", samples(3))
    with Hub() as hub:
        files = files_of(written.parent) | {"README.md": CARD.encode()}
        hub.add_dataset(recordings.SPEECH.path, files)
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=hub.environment(tmp_path / "home"),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.splitlines() == ["sentence number 0", "sentence number 1"], done.stderr
