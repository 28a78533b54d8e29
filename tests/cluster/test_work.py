"""Workers in one process: what they publish, and how they end."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from quest22.cluster.driver import MAX_FAILED_IN_ROW, ClusterDriver, UnitAbandonedError
from quest22.cluster.folder_store import FolderStore
from quest22.cluster.ledger import Attempt, Counts, Lease
from quest22.cluster.memory_ledger import MemoryLedger
from quest22.cluster.plan import make_plan, write_plan
from quest22.cluster.procedure import Policy
from quest22.cluster.unit_file import read_rows
from quest22.cluster.work import ClusterWorker, ledger_of, open_worker
from quest22.errors import Quest22Error, SourceError
from quest22.runs.context import RunContext
from quest22.settings.cluster import ClusterPlanSettings
from tests.cluster.test_plan import settings
from tests.torture.rows import write_rows
from tests.torture.worker import MixingPipeline

POLICY = Policy(lease_s=0.4)
DONE = Attempt(Path(), Counts(1, 0, 1.0))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder, 30)
    return folder


def planned(data: Path, folder: Path) -> FolderStore:
    store = FolderStore(folder)
    made = make_plan(settings(data), ClusterPlanSettings(str(folder), 1.3), MixingPipeline)
    write_plan(made, store)
    return store


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("part-*") if path.is_file()}


def open_one(store: FolderStore, done: Counter[int]) -> ClusterWorker:
    context = RunContext(load=MixingPipeline)
    return open_worker(
        store, context=context, on_unit=lambda lease, counts: done.update([lease.unit])
    )


def test_three_workers_publish_what_one_does(data: Path, tmp_path: Path) -> None:
    alone, together = planned(data, tmp_path / "one"), planned(data, tmp_path / "three")
    with open_one(alone, Counter()) as worker:
        summary = worker.run()
    done: Counter[int] = Counter()
    workers = [open_one(together, done) for _ in range(3)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.close()
    whole = files(tmp_path / "one")
    assert files(tmp_path / "three") == whole
    assert sum(done.values()) == summary.units == len(whole)
    rows = [row for name in sorted(whole) for row in read_rows(whole[name], "jsonl")]
    assert [(row["origin"]["file"], row["origin"]["row"]) for row in rows] == [
        (str(data / f"part-{part}.parquet"), row) for part in range(3) for row in range(10)
    ]
    assert summary.transcripts == sum("error" not in row for row in rows)
    assert summary.failures == sum("error" in row for row in rows) > 0


def test_a_plan_that_is_done_takes_no_work(data: Path, tmp_path: Path) -> None:
    store = planned(data, tmp_path)
    for units in (6, 0):
        with open_one(store, Counter()) as worker:
            assert worker.run().units == units


def test_a_stopped_worker_gives_its_unit_back(data: Path, tmp_path: Path) -> None:
    store = planned(data, tmp_path)
    done: Counter[int] = Counter()
    with open_one(store, done) as worker:
        worker.driver.stop()
        assert worker.run().stopped
    assert not done
    with open_one(store, done) as worker:
        assert worker.run().units == 6


def driven(ledger: MemoryLedger, transcribe: object, name: str = "w") -> ClusterDriver:
    return ClusterDriver(name, ledger, transcribe, POLICY)  # type: ignore[arg-type]


def test_a_unit_is_given_back_when_its_worker_is_stopped_in_it() -> None:
    ledger = MemoryLedger(3)

    def transcribe(lease: Lease, is_over: object) -> Attempt:
        driver.stop()
        raise UnitAbandonedError

    driver = driven(ledger, transcribe)
    driver.run()
    (held,) = ledger.view(0).held.values()
    assert (held.given_up, held.attempts) == (True, 0)


def test_a_lease_is_renewed_while_its_unit_is_transcribed() -> None:
    ledger = MemoryLedger(1)
    seen = set()

    def transcribe(lease: Lease, is_over: object) -> Attempt:
        waiting = threading.Event()
        while len(seen) < 3:
            seen.add(ledger.view(0).held[0].version)
            waiting.wait(0.01)
        return DONE

    driven(ledger, transcribe).run()
    assert list(ledger.published) == [0]


def test_a_unit_is_abandoned_once_another_has_published_it() -> None:
    ledger = MemoryLedger(1)

    def transcribe(lease: Lease, is_over: object) -> Attempt:
        ledger.commit(lease._replace(worker="other"), DONE)
        waiting = threading.Event()
        while not is_over():  # type: ignore[operator]
            waiting.wait(0.01)
        raise UnitAbandonedError

    driven(ledger, transcribe).run()
    assert list(ledger.published) == [0]


def test_a_machine_on_which_everything_fails_ends_and_fails_few_units_for_good() -> None:
    ledger = MemoryLedger(50)

    def transcribe(lease: Lease, is_over: object) -> Attempt:
        raise SourceError("the disk is gone")

    with pytest.raises(Quest22Error, match=r"10 units in a row.*the disk is gone"):
        driven(ledger, transcribe).run()
    assert len(ledger.failed) <= MAX_FAILED_IN_ROW / 2


def test_a_failed_attempt_says_why(data: Path, tmp_path: Path) -> None:
    store = planned(data, tmp_path)
    with open_one(store, Counter()) as worker:
        (data / "part-2.parquet").rename(tmp_path / "away")
        try:
            summary = worker.run()
        finally:
            (tmp_path / "away").rename(data / "part-2.parquet")
    assert summary.units == 4
    ledger = ledger_of(worker._plan, store)
    failed = [unit for unit, state in ledger.states(0).items() if state.failed]
    assert len(failed) == 2
    assert "part-2.parquet" in ledger.reason(failed[0])
