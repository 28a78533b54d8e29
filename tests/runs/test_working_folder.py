"""Runs over relative paths, gone on with from another working folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quest22.errors import UsageError
from quest22.runs.journal import JOURNAL
from quest22.runs.run_status import status
from tests.runs.dying import DyingPipeline
from tests.torture.kills import differences, outputs
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline, RunSpec


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The folder that runs begin in, and another."""
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    other.mkdir()
    write_rows(home / "data", 15)
    monkeypatch.chdir(home)
    return home, other


@pytest.mark.parametrize("old", [False, True], ids=["today", "old journal"])
def test_a_retry_from_another_folder(elsewhere, monkeypatch, old):
    home, other = elsewhere
    folder = home / "out"
    spec = RunSpec(Path("data"), folder, load=DigestPipeline)
    assert spec.run().failures > 0
    if old:
        record = json.loads((folder / JOURNAL).read_text())
        del record["asked"]["working_folder"]
        (folder / JOURNAL).write_text(json.dumps(record))
    write_rows(home / "data", 15, healed=True)
    monkeypatch.chdir(other)
    again = RunSpec(Path("data"), folder, load=DigestPipeline, retry=True)
    assert again.run().failures == 0
    assert status(folder).failures == 0
    monkeypatch.chdir(home)
    RunSpec(Path("data"), home / "whole", load=DigestPipeline).run()
    assert differences(outputs(home / "whole"), outputs(folder)) == []


def test_one_place_by_two_names_is_one_dataset(elsewhere, monkeypatch):
    home, other = elsewhere
    folder = home / "out"
    with pytest.raises(KeyboardInterrupt):
        RunSpec(Path("data"), folder, load=DyingPipeline).run()
    monkeypatch.chdir(other)
    write_rows(other / "data", 15)
    with pytest.raises(UsageError, match="data_files was"):
        RunSpec(Path("data"), folder).run()
    assert RunSpec(home / "data", folder).run().finished
    monkeypatch.chdir(home)
    RunSpec(Path("data"), home / "whole").run()
    assert differences(outputs(home / "whole"), outputs(folder)) == []
