"""``--devices`` of ``quest22 work`` and of ``quest22 retry``, in a folder and in a store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quest22.cli.exits import Exit
from tests.cli.test_devices import SAMPLES, all_are_gone, children
from tests.torture.kills import differences, outputs
from tests.torture.rows import write_rows

TWO = ("--devices", "cpu,cpu")

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")


def quest22(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "quest22", *map(str, arguments)]


def ended(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(quest22(*arguments), capture_output=True, text=True, check=False)


def plan(store: Path) -> Path:
    made = ended(
        *("plan", "parquet", "--data-files", f"{SAMPLES}/*.parquet", "-m", "nano"),
        *("--dtype", "float32", "--batch-size", 4, "--unit", "10s", "--store", store),
    )
    assert made.returncode == Exit.DONE, made.stderr
    return store


def begun(store: Path) -> subprocess.Popen[str]:
    """The command, when both of its workers have a model."""
    process = subprocess.Popen(
        quest22("work", store, *TWO), stderr=subprocess.PIPE, text=True, bufsize=1
    )
    working = 0
    while working < 2:
        line = process.stderr.readline()  # type: ignore[union-attr]
        assert line, "the command ended"
        working += "working with" in line
    return process


def published(store: Path) -> dict[str, bytes]:
    return outputs(store / "data")


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one worker publishes."""
    store = plan(tmp_path_factory.mktemp("one") / "store")
    made = ended("work", store)
    assert made.returncode == Exit.DONE, made.stderr
    return published(store)


@pytest.mark.slow
def test_workers_share_the_units_of_a_plan(one_worker: dict[str, bytes], tmp_path: Path) -> None:
    store = plan(tmp_path / "store")
    made = ended("work", store, *TWO)
    assert made.returncode == Exit.DONE, made.stderr
    for each in ("cpu (1 of 2)", "cpu (2 of 2)"):
        assert f"quest22: {each}: working with nano (float32)" in made.stderr
        assert f"quest22: {each}: done: " in made.stderr
    assert differences(one_worker, published(store)) == []
    assert "nothing to do" in ended("work", store, *TWO).stderr


@pytest.mark.long
@pytest.mark.slow
def test_the_other_does_the_units_of_a_worker_that_dies(
    one_worker: dict[str, bytes], tmp_path: Path
) -> None:
    store = plan(tmp_path / "store")
    process = begun(store)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, told = process.communicate(timeout=300)
    assert process.returncode == Exit.DONE, told
    assert "the worker on cpu (1 of 2) has died (SIGKILL): others take its unit over" in told
    assert differences(one_worker, published(store)) == []


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("stop", ["SIGTERM", "SIGKILL"])
def test_what_ends_the_command_ends_its_workers(
    one_worker: dict[str, bytes], tmp_path: Path, stop: str
) -> None:
    """And their units go back at once: nobody waits for a lease to end."""
    store = plan(tmp_path / "store")
    process = begun(store)
    workers = children(process.pid)
    process.send_signal(getattr(signal, stop))
    process.communicate(timeout=120)
    if stop == "SIGTERM":
        assert process.returncode == Exit.INTERRUPTED
    assert all_are_gone(workers)
    begin_s = time.monotonic()
    made = ended("work", store, *TWO)
    assert made.returncode == Exit.DONE, made.stderr
    assert time.monotonic() - begin_s < 100  # a lease is 120 s
    assert differences(one_worker, published(store)) == []


@pytest.mark.slow
def test_devices_retry_what_failed(tmp_path: Path) -> None:
    """In a folder and in a store; the text is that of sound that could be read at once."""
    sick, healed = tmp_path / "sick", tmp_path / "healed"
    for folder in (sick, healed):
        folder.mkdir()
        write_rows(folder, 15, healed=folder is healed)
    common = ("-m", "nano", "--dtype", "float32", "-q")
    source = ("parquet", "--data-files", f"{sick}/*.parquet")
    assert ended("stream", *source, *common, "-o", tmp_path / "out").returncode == Exit.SOME_FAILED
    store = ("--store", tmp_path / "store", "--unit", "2s")
    assert ended("plan", *source, *common, *store).returncode == Exit.DONE
    assert ended("work", tmp_path / "store").returncode == Exit.DONE
    write_rows(sick, 15, healed=True)
    made = ended("retry", tmp_path / "out", *TWO)
    assert made.returncode == Exit.DONE, made.stderr
    assert "(float32 on cpu, cpu)" in made.stderr
    whole = ("stream", "parquet", "--data-files", f"{sick}/*.parquet", *common)
    assert ended(*whole, "-o", tmp_path / "whole").returncode == Exit.DONE
    assert differences(outputs(tmp_path / "whole"), outputs(tmp_path / "out")) == []
    made = ended("retry", tmp_path / "store", *TWO)
    assert made.returncode == Exit.DONE, made.stderr
    assert "cpu (1 of 2): " in made.stderr
    assert "nothing to retry" in ended("retry", tmp_path / "store").stderr


def test_what_cannot_be_is_one_line(run, tmp_path: Path, rows: str) -> None:
    for command in ("work", "retry"):
        refused = run(command, tmp_path, "--devices", "gpu7")
        assert refused.code == Exit.USAGE
        assert refused.err.startswith("quest22: error: devices is 'gpu7': expected all, numbers")
        refused = run(command, tmp_path, "--devices", "cpu,cpu", "--device", "cpu")
        assert refused.code == Exit.USAGE
        assert "device 'cpu' and devices 'cpu,cpu': name one of them" in refused.err
    store = tmp_path / "store"
    assert run("plan", "parquet", "--data-files", rows, "-m", "nano", "--store", store).code == 0
    refused = run("work", store, *TWO, "--stats-json", tmp_path / "stats.json")
    assert refused.code == Exit.USAGE
    assert "--stats-json is about one worker" in refused.err


def test_the_error_of_all_workers_is_the_commands(run, tmp_path: Path, model: str) -> None:
    """Each is told with its device's name."""
    moved = tmp_path / "model"
    moved.symlink_to(model)
    data = tmp_path / "data"
    data.mkdir()
    write_rows(data, 15)
    store = tmp_path / "store"
    source = ("parquet", "--data-files", f"{data}/*.parquet", "-m", moved)
    assert run("plan", *source, "--store", store).code == Exit.DONE
    moved.unlink()
    made = ended("work", store, *TWO)
    assert made.returncode in (Exit.USAGE, Exit.NOTHING_DONE)
    for each in ("cpu (1 of 2)", "cpu (2 of 2)"):
        assert f"quest22: {each}: error: " in made.stderr
