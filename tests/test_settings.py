from __future__ import annotations

from pathlib import Path

import pytest

from quest22 import settings
from quest22.errors import UsageError

BAD = [
    (settings.DatasetSettings, {"path": "a/b", "num_shards": 2, "shard_index": 2}, "shard index 2"),
    (settings.DatasetSettings, {"path": "a/b", "num_shards": 0}, "of 0"),
    (settings.DatasetSettings, {"path": "a/b", "take": -1}, "take is -1"),
    (settings.DatasetSettings, {"path": "a/b", "skip": -1}, "skip is -1"),
    (settings.EngineSettings, {"batch_size": 0}, "batch size is 0"),
    (settings.EngineSettings, {"threads": -3}, "threads is -3"),
    (settings.LongFormSettings, {"chunk_length_s": 31.0}, "up to 30 s"),
    (settings.LongFormSettings, {"chunk_length_s": 0.0}, "up to 30 s"),
    (settings.LongFormSettings, {"stride_s": (15.0, 15.0)}, "leave nothing"),
    (settings.LongFormSettings, {"stride_s": (-1.0, 5.0)}, "leave nothing"),
]


@pytest.mark.parametrize(("group", "values", "message"), BAD)
def test_impossible_settings_are_refused(
    group: type, values: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        group(**values)


def test_tokens_are_not_shown() -> None:
    shown = repr(settings.DatasetSettings("a/b", token="hf_secret"))
    shown += repr(settings.EngineSettings(token="hf_secret"))
    assert "hf_secret" not in shown


def test_cache_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert settings.cache_folder() == tmp_path / "quest22"
    monkeypatch.setenv("QUEST22_CACHE", str(tmp_path / "named"))
    assert settings.cache_folder() == tmp_path / "named"
