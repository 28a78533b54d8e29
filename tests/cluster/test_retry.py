"""Failures of all workers are done again, and the state of a store is told from its names."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from quest22.cluster.folder_store import FolderStore
from quest22.cluster.plan import make_plan, write_plan
from quest22.cluster.retry import RetryWorker, open_retry
from quest22.cluster.status import cluster_status, published_names
from quest22.cluster.unit_file import read_rows
from quest22.cluster.work import open_worker
from quest22.errors import UsageError
from quest22.runs.context import RunContext
from quest22.settings.cluster import ClusterPlanSettings
from tests.cluster.test_plan import settings
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline

CONTEXT = {"context": RunContext(load=DigestPipeline)}


@pytest.fixture(params=["jsonl", "parquet"])
def unit_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_rows(folder, 30)
    return folder


def planned(data: Path, folder: Path, unit_format: str = "jsonl") -> FolderStore:
    store = FolderStore(folder)
    cluster = ClusterPlanSettings(str(folder), 1.3, unit_format)  # type: ignore[arg-type]
    write_plan(make_plan(settings(data), cluster, DigestPipeline), store)
    return store


def finished(store: FolderStore) -> FolderStore:
    with open_worker(store, **CONTEXT) as worker:
        worker.run()
    return store


def rows(store: FolderStore, unit_format: str) -> list[dict[str, object]]:
    contents = (store.read(name) for name in published_names(store))
    return [row for each in contents if each for row in read_rows(each.content, unit_format)]


def retrying(store: FolderStore) -> RetryWorker:
    worker = open_retry(store, **CONTEXT)
    assert worker is not None
    return worker


def test_what_failed_and_succeeds_now_takes_its_place(
    data: Path, tmp_path: Path, unit_format: str
) -> None:
    store = finished(planned(data, tmp_path / "store", unit_format))
    before, state = rows(store, unit_format), cluster_status(store)
    assert state.state == "finished"
    assert (state.transcripts, state.failures) == (len(before) - state.failures, 7)
    write_rows(data, 30, healed=True)
    with retrying(store) as worker:
        worker.run()
    after, state = rows(store, unit_format), cluster_status(store)
    assert (state.transcripts, state.failures, state.retrying) == (30, 0, 0)
    assert [row["origin"] for row in after] == [row["origin"] for row in before]
    kept = [(old, new) for old, new in zip(before, after, strict=True) if not old.get("error")]
    assert all(old == new for old, new in kept)
    assert open_retry(store, **CONTEXT) is None


def test_what_fails_again_stays(data: Path, tmp_path: Path) -> None:
    store = finished(planned(data, tmp_path / "store"))
    before = rows(store, "jsonl")
    for number in (1, 2):
        with retrying(store) as worker:
            worker.run()
        assert rows(store, "jsonl") == before
        assert cluster_status(store).retry_round == number


def test_two_workers_share_a_round(data: Path, tmp_path: Path) -> None:
    store = finished(planned(data, tmp_path / "store"))
    write_rows(data, 30, healed=True)
    done: Counter[int] = Counter()
    told = {"on_unit": lambda lease, counts: done.update([lease.unit])}
    workers = [open_retry(store, **CONTEXT, **told) for _ in range(2)]
    threads = [threading.Thread(target=worker.run) for worker in workers if worker]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cluster_status(store).failures == 0
    assert set(done.values()) == {1}


def test_a_unit_that_failed_as_a_whole_is_done_again(data: Path, tmp_path: Path) -> None:
    store = planned(data, tmp_path / "store")
    with open_worker(store, **CONTEXT) as worker:
        (data / "part-2.parquet").rename(tmp_path / "away")
        worker.run()
    state = cluster_status(store)
    assert (state.failed, state.published) == (2, 4)
    assert "part-2.parquet" in state.reasons[0]
    (tmp_path / "away").rename(data / "part-2.parquet")
    with retrying(store) as worker:
        worker.run()
    state = cluster_status(store)
    assert (state.failed, state.published, state.reasons) == (0, 6, ())


def test_a_retry_waits_for_the_first_round(data: Path, tmp_path: Path) -> None:
    store = planned(data, tmp_path / "store")
    assert cluster_status(store).state == "not begun"
    with pytest.raises(UsageError, match=r"6 units of .* are not done.*quest22 work"):
        open_retry(store, **CONTEXT)


def test_an_older_version_of_a_file_is_not_brought_back(data: Path, tmp_path: Path) -> None:
    store = finished(planned(data, tmp_path / "store"))
    write_rows(data, 30, healed=True)
    name = next(published_names(store))
    seen = store.read(name)
    assert seen is not None
    with retrying(store) as worker:
        worker.run()
    assert not store.replace(name, b"what a frozen worker has", seen.version)
    assert cluster_status(store).failures == 0
