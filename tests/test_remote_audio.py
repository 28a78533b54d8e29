"""Source and decoder together: sound read over HTTP is the sound on the disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from quest22.audio.decode import MediaDecoder
from quest22.demo.server import RangeServer
from quest22.metrics import Metrics
from quest22.records import Clip, Failure, Samples
from quest22.settings import AudioSettings, DatasetSettings
from quest22.source.dataset import DatasetSource
from quest22.source.files import FilesSource

pytestmark = pytest.mark.speech

SETS = ["formats_mixed", "ru_telephony6", "longform"]


def _heard(result: Clip | Failure) -> Samples:
    assert isinstance(result, Clip), result
    return np.concatenate(list(MediaDecoder(AudioSettings(), Metrics()).decode(result).blocks))


@pytest.mark.parametrize("name", SETS)
def test_recordings_sound_the_same_over_http(speech_folder: Path, name: str) -> None:
    folder = speech_folder / name
    if not folder.is_dir():
        pytest.skip(f"the recordings have no set {name}")
    texts = [
        json.loads(line)["text"] for line in (folder / "manifest.jsonl").read_text().splitlines()
    ]
    with RangeServer(folder) as server:
        metrics = Metrics()
        streamed = list(DatasetSource(DatasetSettings(f"{server.url}/manifest.jsonl"), metrics))
        assert [clip.reference for clip in streamed if isinstance(clip, Clip)] == texts
        for remote in streamed:
            (local,) = FilesSource([str(folder / remote.key)], metrics=metrics)
            np.testing.assert_array_equal(_heard(remote), _heard(local))
