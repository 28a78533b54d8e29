"""Committers in processes of their own: killed at any step, and several at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import quest22
from tests.support.cluster_corpus import Corpus, failed_row, open_dataset, published_ids, row
from tests.support.hub import Fault, Hub

ROOT = Path(__file__).parents[3]
UNITS = 5
IDS = [f"{unit}-{number}" for unit in range(UNITS) for number in range(2)]

pytestmark = pytest.mark.slow


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        open_dataset(running)
        yield running


class Committers:
    """Starts committers of one corpus."""

    def __init__(self, corpus: Corpus, hub: Hub) -> None:
        self._corpus, self._hub = corpus, hub
        self._started = 0

    def start(self) -> subprocess.Popen[str]:
        self._started += 1
        folder = self._corpus.folder
        leases = str(folder / f"leases-{self._started}")
        return self.python(
            "-m", "tests.support.cluster_corpus", str(folder), str(self._corpus.units),
            self._hub.endpoint, leases,
        )  # fmt: skip

    def python(self, *arguments: str) -> subprocess.Popen[str]:
        """Python beside the Hub's stand-in."""
        folder = self._corpus.folder
        paths = os.pathsep.join([str(Path(quest22.__file__).parents[1]), str(ROOT)])
        settings = {"PYTHONPATH": paths, "USE_TORCH": "0", "HF_TOKEN": "hf_w"}
        return subprocess.Popen(
            [sys.executable, *arguments],
            env={**self._hub.environment(folder / "hf"), **settings},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *running: subprocess.Popen[str]) -> None:
        for each in running or (self.start(),):
            _, told = each.communicate(timeout=300)
            assert each.returncode == 0, told


@pytest.fixture
def committers(tmp_path: Path, hub: Hub) -> Committers:
    corpus = Corpus(tmp_path, UNITS)
    for unit in range(UNITS):
        corpus.publish(unit)
    corpus.close()
    return Committers(corpus, hub)


READ = """
import json
from datasets import load_dataset
print(json.dumps(list(load_dataset("org/out", split="test", streaming=True))))
"""


def test_datasets_reads_files_whose_columns_differ(tmp_path: Path, hub: Hub) -> None:
    corpus = Corpus(tmp_path, 7)
    corpus.publish(0, failed_row(0, 0))
    corpus.publish(2, row(2, 0, score=1), row(2, 1, score=2))
    corpus.publish(4, row(4, 0, score=0.5), failed_row(4, 1))
    corpus.publish(6, row(6, 0, score="good", topics=["a"]))
    for unit in (1, 3, 5):
        corpus.fail(unit)
    corpus.close()
    committers = Committers(corpus, hub)
    committers.finish()
    reading = committers.python("-c", READ)
    out, told = reading.communicate(timeout=300)
    assert reading.returncode == 0, told
    rows = json.loads(out)
    assert [each["id"] for each in rows] == ["0-0", "2-0", "2-1", "4-0", "4-1", "6-0"]
    assert [each["score"] for each in rows] == [None, "1", "2", "0.5", None, "good"]
    assert [each["topics"] for each in rows] == [None] * 5 + [["a"]]
    assert [each["error"] is None for each in rows] == [False, True, True, True, False, True]


def check(hub: Hub) -> None:
    assert published_ids(hub) == IDS
    record = json.loads(hub.dataset("org/out").head()["quest22.json"])
    assert record["finished"]
    assert record["transcripts"] == len(IDS)


STEPS = [("/commit/main", 1), ("/commit/main", 2), ("/preupload/main", 2), ("/storage/", 3)]


@pytest.mark.parametrize(("step", "at"), STEPS)
def test_killed_before_the_answer(committers: Committers, hub: Hub, step: str, at: int) -> None:
    started: list[subprocess.Popen[str]] = []
    left = at

    def kill() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(started[0].pid, signal.SIGKILL)

    hub.faults.append(Fault(step, times=at, then=kill))
    started.append(committers.start())
    started[0].communicate(timeout=300)
    assert started[0].returncode == -signal.SIGKILL
    committers.finish()
    check(hub)
    assert len(hub.dataset("org/out").written) == 3
    assert sum(seen.method == "PUT" for seen in hub.requests) == 3  # none was uploaded again


def test_three_at_once(committers: Committers, hub: Hub) -> None:
    committers.finish(*[committers.start() for _ in range(3)])
    check(hub)
    conflicts = [seen for seen in hub.requests if seen.status == 412]
    commits = [seen for seen in hub.requests if seen.path.endswith("/commit/main")]
    assert len(commits) - len(conflicts) == len(hub.dataset("org/out").written)
