"""``python -m tests.torture.cluster [--moto|--gcs]``: kills and stops workers at named points.

Two real processes work on one store. The first dies (SIGKILL) or freezes (SIGSTOP) at a point
between two changes of the store; the second does the rest; a frozen one then wakes up and goes on.
Exits with 0 if the published files equal an undisturbed worker's, byte for byte, and if at most one
unit was transcribed twice for each kill.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

os.environ["USE_TORCH"] = "0"  # datasets would import it, which takes longer than a run

from quest22.cluster.ledger import Counts, Lease
from quest22.cluster.object_store import Entry, ObjectStore, Stored
from quest22.cluster.open_store import open_store
from quest22.cluster.plan import make_plan, read_plan, write_plan
from quest22.cluster.procedure import Policy
from quest22.cluster.work import ClusterWorker, ledger_of
from quest22.runs.context import RunContext
from quest22.runs.settings import RunSettings
from quest22.settings import DatasetSettings, EngineSettings, PipelineSettings
from quest22.settings.cluster import ClusterPlanSettings
from tests.support.gcs_server import gcs_bucket
from tests.support.s3_server import s3_bucket
from tests.torture import worker
from tests.torture.nursery import apart, bring_up, ended, forked
from tests.torture.rows import write_rows
from tests.torture.worker import MixingPipeline

POLICY = Policy(lease_s=0.5, max_attempts=50)  # a unit may be hit many times


class Point(NamedTuple):
    """Just before or after the store's ``number``-th change (from 0) of a name of this kind."""

    when: str
    kind: str
    number: int = 1


KINDS = {
    "lease": re.compile(r".*/units/.*\.e\d+"),
    "data": re.compile(r"data/.*"),
    "done": re.compile(r".*\.done\..*"),
    "index": re.compile(r".*/index/.*"),
}
POINTS = [
    Point(when, kind, 0 if kind == "index" else 1)
    for when, kind in product(("before", "after"), KINDS)
]


@dataclass
class PointStore:
    """A store that sends its own process a signal at a point."""

    store: ObjectStore
    point: Point | None = None
    signal: int = signal.SIGKILL
    changes: int = 0

    @property
    def shown(self) -> str:
        return self.store.shown

    def create(self, name: str, content: bytes | Path) -> bool:
        return bool(self._changing(name, lambda: self.store.create(name, content)))

    def write(self, name: str, content: bytes) -> None:
        self.store.write(name, content)

    def replace(self, name: str, content: bytes | Path, version: Hashable) -> bool:
        return bool(self._changing(name, lambda: self.store.replace(name, content, version)))

    def read(self, name: str) -> Stored | None:
        return self.store.read(name)

    def exists(self, name: str) -> bool:
        return self.store.exists(name)

    def holds(self, name: str, path: Path) -> bool:
        return self.store.holds(name, path)

    def listing(self, folder: str) -> Iterator[Entry]:
        return self.store.listing(folder)

    def _changing(self, name: str, change: Callable[[], Any]) -> Any:
        point = self.point
        if point is None or not KINDS[point.kind].fullmatch(name):
            return change()
        is_here, self.changes = self.changes == point.number, self.changes + 1
        if is_here and point.when == "before":
            os.kill(os.getpid(), self.signal)
        changed = change()
        if is_here and point.when == "after":
            os.kill(os.getpid(), self.signal)
        return changed


def plan_into(address: str, data: Path, unit_format: str = "jsonl") -> int:
    """Make a plan of small units; how many there are."""
    rows = DatasetSettings("parquet", data_files=(f"{data}/*.parquet",), keep_columns=("speaker",))
    pipeline = PipelineSettings(EngineSettings("digest", compute_type="float32"))
    settings = RunSettings(rows, pipeline, (unit_format,))
    cluster = ClusterPlanSettings(address, 1.3, unit_format)  # type: ignore[arg-type]
    plan = make_plan(settings, cluster, MixingPipeline)
    write_plan(plan, open_store(address))
    return len(plan.units)


def work(address: str, log: Path, point: Point | None = None, number: int = signal.SIGKILL) -> int:
    """Be a worker until all is done; each unit that was transcribed is a line in ``log``."""

    def transcribed(lease: Lease, counts: Counts) -> None:
        with log.open("a") as file:
            file.write(f"{lease.unit}\n")

    store = PointStore(open_store(address), point, number)
    plan = read_plan(store)
    engine, context = EngineSettings(), RunContext(load=MixingPipeline)
    ledger = ledger_of(plan, store)
    with ClusterWorker(plan, ledger, engine, context, POLICY, transcribed) as opened:
        opened.run()
    return 0


def published(address: str) -> dict[str, bytes]:
    """The published files of a store."""
    store = open_store(address)
    units = range(len(read_plan(store).units))
    names = [read_plan(store).output_name(unit) for unit in units]
    found = {name: store.read(name) for name in names}
    return {name: stored.content for name, stored in found.items() if stored is not None}


class Outcome(NamedTuple):
    """Units that were transcribed once more than needed, and files that are not as they should."""

    again: int
    wrong: list[str]


def disturbed(
    address: str, whole: dict[str, bytes], folder: Path, point: Point, number: int
) -> Outcome:
    """Let a worker end or freeze at a point, another do the rest, and a frozen one go on."""
    log = folder / "log"
    first = forked(lambda: work(address, log, point, number))
    if number == signal.SIGSTOP:
        _, status = os.waitpid(first, os.WUNTRACED)
        assert os.WIFSTOPPED(status), point
    else:
        assert ended(first) == -signal.SIGKILL, point
    second = forked(lambda: work(address, log))
    assert ended(second) == 0
    if number == signal.SIGSTOP:
        os.kill(first, signal.SIGCONT)
        assert ended(first) == 0, point
    return outcome(address, whole, log)


def outcome(address: str, whole: dict[str, bytes], log: Path) -> Outcome:
    """Compare what was published with what an undisturbed worker has."""
    times = Counter(log.read_text().split())
    found = apart(lambda: published(address))
    wrong = [name for name in whole.keys() | found.keys() if whole.get(name) != found.get(name)]
    return Outcome(sum(times.values()) - len(times), sorted(wrong))


def storm(address: str, folder: Path, kills: int) -> int:
    """Kill one of two workers again and again, at any moment; how many were killed."""
    worker.BATCH_S = 0.15  # so that they do not end before
    log, killed, moment = folder / "log", 0, random.Random(0)
    workers = [forked(lambda: work(address, log)) for _ in range(2)]
    while workers:
        time.sleep(moment.uniform(0.2, 0.8))
        victim = workers.pop(0)
        if killed < kills:
            os.kill(victim, signal.SIGKILL)
        if ended(victim) == -signal.SIGKILL:
            killed += 1
            workers.append(forked(lambda: work(address, log)))
    return killed


def on_stand_in(address: str, server: AbstractContextManager[Any], arguments: list[str]) -> int:
    """The same in a process of its own, with a server of this one."""
    command = [sys.executable, "-m", "tests.torture.cluster", "--store", address, *arguments]
    with server:
        return subprocess.run(command, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.cluster")
    parser.add_argument("--store", help="where stores are made; a temporary folder if not given")
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--storm", type=int, default=10, help="kills at random moments")
    parser.add_argument("--format", default="jsonl", choices=("jsonl", "parquet"))
    parser.add_argument("--moto", action="store_true", help="stores on a stand-in for S3")
    parser.add_argument("--gcs", action="store_true", help="on one for Google Cloud Storage")
    given = parser.parse_args()
    others = [each for each in sys.argv[1:] if each not in ("--moto", "--gcs")]
    if given.moto:
        return on_stand_in("s3://work/x", s3_bucket("work"), others)
    if given.gcs:
        with tempfile.TemporaryDirectory(prefix="quest22-gcs-") as name:
            return on_stand_in("gs://work/x", gcs_bucket("work", Path(name)), others)
    bring_up()
    fine = True
    with tempfile.TemporaryDirectory(prefix="quest22-cluster-") as name:
        folder = Path(name)
        base = given.store or str(folder / "stores")
        (folder / "data").mkdir()
        write_rows(folder / "data", given.rows)

        def planned(label: str) -> str:
            (folder / label).mkdir()
            apart(lambda: plan_into(f"{base}/{label}", folder / "data", given.format))
            return f"{base}/{label}"

        address = planned("whole")
        assert ended(forked(lambda: work(address, folder / "whole" / "log"))) == 0
        whole = apart(lambda: published(address))
        rows = sum(content.count(b"\n") for content in whole.values())
        print(f"undisturbed: {len(whole)} units, {rows} lines")
        for number, point in product((signal.SIGKILL, signal.SIGSTOP), POINTS):
            label = f"{number.name}-{point.when}-{point.kind}"
            found = disturbed(planned(label), whole, folder / label, point, number)
            is_fine = not found.wrong and found.again <= 1
            fine = fine and is_fine
            print(f"{'same bytes' if is_fine else 'WRONG'}  {label}: {found.again} again")
        address = planned("storm")
        kills = storm(address, folder / "storm", given.storm)
        found = outcome(address, whole, folder / "storm" / "log")
        is_fine = not found.wrong and found.again <= kills
        print(f"{'same bytes' if is_fine else 'WRONG'}  {kills} kills: {found.again} again")
    return 0 if fine and is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
