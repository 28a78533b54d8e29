from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from quest22.bench.peers import OURS, Peer
from quest22.bench.worker_process import WorkerError, WorkerProcess
from quest22.bench.workload import Workload


def test_a_worker_that_dies_says_why(workload: Workload) -> None:
    worker = WorkerProcess(OURS, replace(workload, model="/no/such/model"))
    with pytest.raises(WorkerError, match="/no/such/model does not exist"):
        worker.wait()
    worker.kill()


def test_what_a_worker_started_ends_with_it(workload: Workload) -> None:
    worker = WorkerProcess(Peer("parent", "tests.bench.parent", ()), workload)
    worker.wait()
    child = Path("/proc", worker.about, "stat")
    assert child.exists()
    worker.kill()
    until_s = time.monotonic() + 30
    while running(child) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert not running(child)


def running(stat: Path) -> bool:
    """Whether a process is more than an entry that nobody has asked for."""
    try:
        return stat.read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
