from __future__ import annotations

import pytest

from quest22.cli.dataset_flags import DatasetFlags
from quest22.errors import UsageError
from quest22.settings import DatasetSettings, MemorySettings

MEMORY = MemorySettings.of()


def test_defaults_are_those_of_the_settings():
    assert DatasetFlags("org/name").settings(None, MEMORY) == DatasetSettings("org/name")


def test_flags_are_read_as_what_they_stand_for():
    flags = DatasetFlags(
        "parquet", "en", revision="v1", data_files=["a,b", "c"], keep_columns=["x, y", "z"], take=3
    )
    assert flags.settings("t", MEMORY) == DatasetSettings(
        "parquet",
        "en",
        revision="v1",
        data_files=("a,b", "c"),
        token="t",
        keep_columns=("x", "y", "z"),
        take=3,
    )


def test_memory_bounds_the_shuffle_buffer():
    shuffled = DatasetFlags("org/name", shuffle=True).settings(None, MemorySettings.of(1 << 28))
    assert shuffled.buffer_bytes == 1 << 27


def test_a_configuration_is_named_once():
    assert DatasetFlags("d", name="en").settings(None, MEMORY).config == "en"
    assert DatasetFlags("d", "en", name="en").settings(None, MEMORY).config == "en"
    with pytest.raises(UsageError, match="CONFIG is 'en' and --name is 'ru'"):
        DatasetFlags("d", "en", name="ru").settings(None, MEMORY)


def test_a_title_says_what_is_streamed():
    assert DatasetFlags("org/name", name="en", split="test").title() == "org/name en test"
