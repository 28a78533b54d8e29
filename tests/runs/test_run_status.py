from __future__ import annotations

import json

import pytest

from quest22.errors import SinkError, UsageError
from quest22.runs.run_status import FolderStatus, RunStatus, status
from quest22.runs.store import LocalRunStore
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline, RunSpec


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, 15)
    return folder


def test_a_finished_run(data, tmp_path):
    RunSpec(data, tmp_path, changes={"command": "quest22 stream it"}).run()
    run = status(tmp_path)
    assert isinstance(run, RunStatus)
    assert (run.folder, run.state) == (str(tmp_path), "finished")
    assert (run.transcripts, run.failures) == (12, 3)
    assert sum(run.failures_by_reason.values()) == 3
    assert run.command == "quest22 stream it"
    assert run.last_key is not None
    assert (run.plan["dataset"], run.plan["model"], run.plan["formats"][0]) == (
        "parquet",
        "digest",
        "jsonl",
    )


def test_a_run_that_has_just_begun(tmp_path):
    store = LocalRunStore(tmp_path)
    store.begin_journal({}, {})
    assert status(tmp_path).state == "interrupted"
    with store.lock():
        run = status(tmp_path)
    assert (run.state, run.transcripts, run.last_key) == ("running", 0, None)
    assert (run.failures_by_reason, run.command) == ({}, None)


def test_shards_are_summed_up(data, tmp_path):
    for index, finished in ((0, False), (1, True)):
        rows = {"num_shards": 2, "shard_index": index}
        RunSpec(data, tmp_path, load=DigestPipeline, dataset=rows).run()
        folder = status(tmp_path)
        assert isinstance(folder, FolderStatus)
        assert (folder.finished, len(folder.runs)) == (finished, index + 1)
    assert (folder.transcripts, folder.failures) == (12, 3)
    assert folder.audio_hours == pytest.approx(sum(run.audio_hours for run in folder.runs))


@pytest.mark.parametrize("line", [json.dumps({"stage": "audio"}), "[]", "7"])
def test_failures_that_cannot_be_read(data, tmp_path, line):
    RunSpec(data, tmp_path).run()
    (tmp_path / "failures.jsonl").write_text(line + "\n")
    with pytest.raises(SinkError, match="cannot read"):
        status(tmp_path)


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(UsageError, match="no run in"):
        status(tmp_path)
    assert list(tmp_path.iterdir()) == []
