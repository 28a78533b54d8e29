from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quest22.errors import UsageError
from quest22.runs.journal import Journal
from quest22.runs.publish import HubPublisher, publisher_of_finished, split_name
from quest22.settings import HubSettings


@pytest.mark.parametrize(
    ("split", "name"), [("train", "train"), ("train[:10%]", "train_10"), ("[:]", "train")]
)
def test_names_of_splits(split: str, name: str) -> None:
    assert split_name(split) == name


def test_a_retry_is_published_once_the_run_has_ended(tmp_path: Path) -> None:
    settings = HubSettings("me/speech")
    journal = Journal.begin(tmp_path, {})
    assert publisher_of_finished(None, journal) is None
    with pytest.raises(UsageError, match="publishes me/speech is not finished"):
        publisher_of_finished(settings, journal)
    journal.commit(replace(journal.progress, finished=True))
    assert isinstance(publisher_of_finished(settings, journal), HubPublisher)
