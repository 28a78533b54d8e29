"""``quest22 plan``, ``work``, ``status`` and ``retry`` on a store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from quest22.cli.exits import Exit
from tests.support.schemas import check
from tests.torture.rows import write_rows


@pytest.fixture
def planned(tmp_path, run):
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data", 15)
    store = tmp_path / "store"
    files = f"{tmp_path}/data/*.parquet"
    ended = run(
        "plan", "parquet", "--data-files", files, "-m", "nano", "--store", store, "--unit", "2s"
    )
    assert ended.code == 0, ended.err
    assert "3 units of work in 3 data files" in ended.err
    return store


def test_plan_work_status_retry(planned, run, tmp_path):
    assert "not begun" in run("status", planned).out
    refused = run("retry", planned)
    assert refused.code == Exit.USAGE
    assert "quest22 work" in refused.err
    ended = run("work", planned, "--stats-json", tmp_path / "stats.json")
    assert ended.code == Exit.DONE, ended.err
    assert "failed" in ended.err
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["clips"] + stats["failures"] == 15
    assert stats["audio_hours"] > 0
    assert "done: 3 units" in ended.err
    assert "nothing to do" in run("work", planned).err
    shown = json.loads(run("status", planned, "--json").out)
    check("status", shown)
    assert (shown["state"], shown["units"], shown["published"]) == ("finished", 3, 3)
    assert shown["transcripts"] + shown["failures"] == 15
    files = run("status", planned, "--files").out.split()
    assert files == [f"{planned}/data/0000/part-000000{n}.jsonl" for n in range(3)]
    assert f"quest22 retry {planned}" in run("status", planned).out
    write_rows(tmp_path / "data", 15, healed=True)
    assert run("retry", planned).code == Exit.DONE
    assert "nothing to retry" in run("retry", planned).err


def test_a_store_without_a_plan(tmp_path, run):
    ended = run("work", tmp_path)
    assert ended.code == Exit.USAGE
    assert "no plan in" in ended.err
    assert run("status", tmp_path, "--files").code == Exit.USAGE


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [("--unit", "0.1s", "at least 1 s"), ("-f", "srt", "jsonl or parquet")],
)
def test_values_that_cannot_be(tmp_path, run, flag, value, told):
    ended = run("plan", "a.parquet", "-m", "nano", "--store", tmp_path / "s", flag, value)
    assert ended.code == Exit.USAGE
    assert told in ended.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_ends_a_worker_in_an_orderly_way(planned, run, name):
    worker = subprocess.Popen(
        [sys.executable, "-m", "quest22", "work", planned],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert worker.stderr is not None
    while "working with" not in (line := worker.stderr.readline()):
        assert line, "the worker ended"
    worker.send_signal(getattr(signal, name))
    _, told = worker.communicate(timeout=60)
    assert worker.returncode in (Exit.INTERRUPTED, Exit.DONE), told
    assert run("work", planned).code == Exit.DONE
    assert json.loads(run("status", planned, "--json").out)["published"] == 3
