"""``quest22 status``, and what it and ``quest22 retry`` say of a folder without a run."""

from __future__ import annotations

import json

import pytest

from quest22.cli.exits import Exit
from quest22.cli.status import next_step
from quest22.runs.run_status import RunStatus
from tests.support.schemas import check
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline, RunSpec


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, 15)
    return folder


def test_status_tells_what_failed_and_what_to_do(data, tmp_path, run):
    RunSpec(data, tmp_path).run()
    ended = run("status", tmp_path)
    assert ended.code == 0
    for part in ("finished", "digest", "12 (", f"quest22 retry {tmp_path}"):
        assert part in ended.out
    shown = json.loads(run("status", tmp_path, "--json").out)
    assert (shown["transcripts"], shown["failures"]) == (12, 3)
    assert sum(shown["failures_by_reason"].values()) == 3
    assert (shown["plan"]["dataset"], shown["plan"]["formats"]) == (
        "parquet",
        ["jsonl", "parquet", "srt", "txt"],
    )


def test_status_of_shards(data, tmp_path, run):
    for index in range(2):
        rows = {"num_shards": 2, "shard_index": index}
        RunSpec(data, tmp_path, load=DigestPipeline, dataset=rows).run()
    shown = json.loads(run("status", tmp_path, "--json").out)
    check("status", shown)
    assert shown["finished"]
    assert (shown["transcripts"], shown["failures"], len(shown["runs"])) == (12, 3, 2)
    ended = run("status", tmp_path)
    assert "2  finished" in ended.out


@pytest.mark.parametrize("command", ["status", "retry"])
def test_a_folder_without_a_run(tmp_path, run, command):
    ended = run(command, tmp_path)
    assert ended.code == Exit.USAGE
    assert "no run in" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["status", "retry"])
def test_a_folder_of_files_goes_on_by_its_own_command(tmp_path, run, model, sounds, command):
    run("transcribe", sounds, "-m", model, "-o", tmp_path, "-q")
    ended = run(command, tmp_path)
    assert (ended.code, "is a folder of quest22 transcribe" in ended.err) == (Exit.USAGE, True)


@pytest.mark.parametrize(
    ("state", "failures", "command", "step"),
    [
        ("running", 1, "quest22 stream it", "wait: a process is running"),
        ("finished", 1, "quest22 stream it", "quest22 retry out"),
        ("finished", 0, "quest22 stream it", "nothing: the run is complete"),
        ("interrupted", 1, "quest22 stream it", "quest22 stream it"),
        ("interrupted", 1, None, "repeat the call to stream_to, or the run's command"),
    ],
)
def test_the_next_step(state, failures, command, step):
    run = RunStatus("out", state, 9, failures, 0.1, "k", "now", {}, {}, command)
    assert next_step(run) == step


def test_keys_are_no_markup(data, tmp_path, run):
    rows = {"id_column": "text", "take": 1}
    RunSpec(data, tmp_path, load=DigestPipeline, dataset=rows).run()
    journal = tmp_path / ".quest22" / "journal.json"
    record = json.loads(journal.read_text())
    record["mark"]["last"]["key"] = "[/x]\x1b[31m"
    journal.write_text(json.dumps(record))
    ended = run("status", tmp_path)
    assert ended.code == 0
    assert "[/x]\\x1b[31m" in ended.out
