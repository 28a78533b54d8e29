from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    (settings.LongFormSettings, {"long_form": "parallel"}, "chunked or sequential"),
    (settings.LongFormSettings, {"clip_timestamps": (-1.0,)}, "seconds from 0 on"),
    (settings.DecodingSettings, {"beam_size": 0}, "beam_size is 0: expected 1 or more"),
    (settings.DecodingSettings, {"best_of": 0}, "best_of is 0: expected 1 or more"),
    (settings.DecodingSettings, {"patience": 0.0}, "patience is 0.0: expected a number above 0"),
    (settings.DecodingSettings, {"max_new_tokens": 0}, "max_new_tokens is 0: expected 1 or more"),
    (settings.DecodingSettings, {"length_penalty": 2.0}, "expected a number from 0 to 1"),
    (settings.DecodingSettings, {"temperature": (0.0, 1.5)}, "expected a number from 0 to 1"),
    (settings.DecodingSettings, {"temperature": ()}, "one or more that rise"),
    (settings.DecodingSettings, {"temperature": (0.4, 0.2)}, "one or more that rise"),
    (settings.LongFormSettings, {"clip_timestamps": (2.0, 1.0)}, "expected them to increase"),
    (settings.DecodingSettings, {"language_threshold": 50.0}, "a number from 0 to 1"),
    (settings.AudioSettings, {"max_duration_s": 0.0}, "a number above 0"),
    (settings.HallucinationSettings, {"max_repeats": 1}, "max_repeats is 1: expected 2 or more"),
    (settings.HallucinationSettings, {"max_speaking_rate": 0.0}, "a number above 0"),
]


@pytest.mark.parametrize(("group", "values", "message"), BAD)
def test_impossible_settings_are_refused(
    group: type, values: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        group(**values)


@given(st.integers(settings.LEAST_MEMORY_BYTES, 1 << 40))
def test_the_shares_of_memory_are_no_more_than_the_whole(total: int) -> None:
    memory = settings.MemorySettings.of(total)
    sound = memory.decoded_s * settings.SAMPLE_RATE_HZ * settings.SAMPLE_BYTES
    flowing = memory.fetched_bytes + memory.undecoded_bytes + sound
    assert flowing <= total / 2
    assert flowing + memory.shuffled_bytes <= total


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(UsageError, match="64 MiB or more"):
        settings.MemorySettings.of((64 << 20) - 1)


def test_tokens_are_not_shown() -> None:
    shown = repr(settings.DatasetSettings("a/b", token="hf_secret"))
    shown += repr(settings.EngineSettings(token="hf_secret"))
    assert "hf_secret" not in shown


def test_cache_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("QUEST22_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert settings.cache_folder() == tmp_path / "quest22"
    monkeypatch.setenv("QUEST22_CACHE", str(tmp_path / "named"))
    assert settings.cache_folder() == tmp_path / "named"


def test_compiled_graphs_may_grow_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUEST22_GRAPH_CACHE_MB", raising=False)
    assert settings.graph_cache_bytes() == 4_000_000_000
    monkeypatch.setenv("QUEST22_GRAPH_CACHE_MB", "0")
    assert settings.graph_cache_bytes() == 0
    monkeypatch.setenv("QUEST22_GRAPH_CACHE_MB", "lots")
    with pytest.raises(UsageError, match="'lots': expected megabytes"):
        settings.graph_cache_bytes()
