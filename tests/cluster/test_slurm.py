"""The recipe for Slurm, with a real one: the same bytes, whatever Slurm does to its jobs."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.hostile_server import HostileServer
from tests.support.slurm import Slurm, running_slurm, skip_without_slurm
from tests.torture.rows import write_rows

pytestmark = [pytest.mark.slow, pytest.mark.long]

RECIPE = Path(__file__).parents[2] / "recipes" / "cluster" / "slurm"
PARTS = 3


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    skip_without_slurm()
    folder = tmp_path_factory.mktemp("slurm")
    command = folder / "bin" / "quest22"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m quest22 "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(command.parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    with running_slurm(folder, environment) as running:
        yield running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_rows(folder, 45)
    return folder


class Gate:
    """Once it is closed, requests wait until it is opened; ``waiting`` says that one does."""

    def __init__(self) -> None:
        self._open, self.waiting = threading.Event(), threading.Event()
        self._open.set()

    def __call__(self, number: int) -> None:
        if not self._open.is_set():
            self.waiting.set()
            self._open.wait()

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()


def until(happened: Callable[[], object], slurm: Slurm) -> None:
    """Wait for it; a limit only so that a fault is told."""
    limit = time.monotonic() + 600
    while not happened():
        assert time.monotonic() < limit, slurm.logs()
        time.sleep(0.5)


def published(store: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in store.glob("data/*/*")}


def test_plan_work_and_retry(slurm: Slurm, data: Path, tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    what = ("parquet", "--data-files", f"{data}/*.parquet", "--model", "nano", "--unit", "2s")
    slurm.call("quest22", "plan", *what, "--store", alone)
    for command in ("work", "retry"):
        slurm.call("quest22", command, alone)
    told = slurm.call(RECIPE / "submit.sh", together, "2", *what)
    jobs = told.split("stop:  scancel ")[1].split()
    until(lambda: not slurm.call("squeue", "--noheader", f"--jobs={','.join(jobs)}"), slurm)
    states = {slurm.job(f"{job}_{task}")["JobState"] for job in jobs for task in (1, 2)}
    assert states == {"COMPLETED"}
    assert len(published(together)) == 6
    assert published(together) == published(alone)


def reach_time_limit(slurm: Slurm, job: str) -> None:
    """Give a running job a minute or two more: a minute before their end it is sent SIGUSR1."""
    minutes = int(slurm.call("squeue", "--noheader", f"--jobs={job}", "--format=%M").split(":")[-2])
    slurm.call("scontrol", "update", f"JobId={job}", f"TimeLimit={minutes + 2}")


STOP: dict[str, Callable[[Slurm, str], object]] = {
    "requeued": lambda slurm, job: slurm.call("scontrol", "requeue", job),
    "at its time limit": reach_time_limit,
    "cancelled": lambda slurm, job: slurm.call("scancel", job),
}


@pytest.mark.parametrize("how", STOP)
def test_a_job_that_is_stopped(slurm: Slurm, data: Path, tmp_path: Path, how: str) -> None:
    whole, store = tmp_path / "whole", tmp_path / "store"
    with HostileServer(data) as server:
        files = [f"--data-files={server.url}/part-{part}.parquet" for part in range(PARTS)]
        for each in (whole, store):
            what = ("parquet", *files, "--model", "nano", "--unit", "2s", "--store", each)
            slurm.call("quest22", "plan", *what)
        slurm.call("quest22", "work", whole)
        server.only, server.before = "part-2", (gate := Gate())
        gate.close()
        job = slurm.call("sbatch", "--parsable", RECIPE / "worker.sbatch", "work", store)
        until(gate.waiting.is_set, slurm)
        STOP[how](slurm, job)
        until(lambda: list(store.rglob("*.released")), slurm)
        if how != "cancelled":
            until(lambda: slurm.job(job)["Restarts"] != "0", slurm)
            slurm.call("scontrol", "update", f"JobId={job}", "TimeLimit=60")
        gate.open()
        until(lambda: not slurm.call("squeue", "--noheader", f"--jobs={job}"), slurm)
        if how == "cancelled":
            assert slurm.job(job)["Restarts"] == "0"
            assert slurm.job(job)["JobState"] == "CANCELLED"
            slurm.call("quest22", "work", store)
        else:
            assert slurm.job(job)["JobState"] == "COMPLETED"
    assert published(store) == published(whole)
