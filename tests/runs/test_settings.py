from __future__ import annotations

from pathlib import Path

import pytest

from quest22.errors import UsageError
from quest22.runs.settings import RunSettings
from quest22.settings import ALL_COLUMNS, DatasetSettings, HubSettings


@pytest.mark.parametrize(
    ("hub", "named", "columns"),
    [
        (None, (), ()),
        (HubSettings("me/d"), (), (ALL_COLUMNS,)),
        (HubSettings("me/d"), ("speaker",), ("speaker",)),
    ],
)
def test_what_is_published_carries_all_columns_unless_some_are_named(hub, named, columns):
    settings = RunSettings(DatasetSettings("d", keep_columns=named), push_to_hub=hub)
    assert settings.with_published_columns().dataset.keep_columns == columns


def test_outputs_are_journaled():
    output = RunSettings(DatasetSettings("d"), restart=True).output(Path("out"))
    assert (output.formats, output.folder) == (("jsonl",), Path("out"))
    assert output.journaled
    assert output.overwrite


def test_a_run_writes_something():
    with pytest.raises(UsageError, match="no output format"):
        RunSettings(DatasetSettings("d"), formats=()).output(Path("out"))


def test_a_plan_has_the_published_columns_and_no_address() -> None:
    published = RunSettings(DatasetSettings("x"), push_to_hub=HubSettings("me/d"))
    assert published.of_plan().dataset.keep_columns == (ALL_COLUMNS,)
    assert published.of_plan().push_to_hub is None
    assert RunSettings(DatasetSettings("x")).of_plan() == RunSettings(DatasetSettings("x"))
