from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.errors import UsageError
from quest22.settings import DatasetSettings, MemorySettings

BAD = [
    (
        {"num_shards": 2, "shard_index": 2},
        "shard_index is 2 and num_shards is 2: expected an index",
    ),
    ({"num_shards": 2, "shard_index": -1}, "shard_index is -1"),
    ({"num_shards": 0}, "num_shards is 0: expected 1 or more"),
    ({"take": -1}, "take is -1"),
    ({"skip": -1}, "skip is -1"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        DatasetSettings("a/b", **values)


def test_the_token_is_not_shown():
    assert "hf_secret" not in repr(DatasetSettings("a/b", token="hf_secret"))


@pytest.mark.parametrize(("shuffle", "buffer_bytes"), [(True, 1 << 27), (False, 1 << 29)])
def test_memory_bounds_the_shuffle_buffer(shuffle, buffer_bytes):
    rows = DatasetSettings("a/b", shuffle=shuffle)
    assert rows.within(MemorySettings.of(1 << 28)) == replace(rows, buffer_bytes=buffer_bytes)
