"""Members of a tar that are too big for memory: on the disk while they wait, then gone."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from quest22.metrics import Metrics
from quest22.records import Clip
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource
from quest22.source.io.retry import NetworkSettings, RetryingClient
from tests.support import corpora


@pytest.mark.parametrize("memory_bytes", [1 << 20, 100])
def test_a_long_recording_is_the_same_wherever_it_waits(tmp_path: Path, memory_bytes: int) -> None:
    rows = corpora.samples(3)
    corpora.write_tar(tmp_path / "a.tar", rows)
    settings = DatasetSettings("webdataset", data_files=(str(tmp_path / "a.tar"),))
    client = RetryingClient(NetworkSettings(member_bytes=memory_bytes))
    clips = list(DatasetSource(settings, Metrics(), client=client))
    on_disk = memory_bytes < len(rows[0].sound)
    for clip, row in zip(clips, rows, strict=True):
        assert isinstance(clip, Clip)
        assert callable(clip.media) == on_disk
        file = clip.media() if callable(clip.media) else io.BytesIO(bytes(clip.media))  # type: ignore[arg-type]
        assert (file.read(), clip.reference) == (row.sound, row.text)
