"""What a committer puts on the Hub's stand-in: everything once, whatever happens on the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from quest22.cluster.hub import files as hub_files
from quest22.cluster.hub import push as hub_push
from quest22.cluster.hub.committer import Pace
from quest22.cluster.hub.lease import CommitterLease
from quest22.cluster.hub.push import Push, Schedule
from quest22.cluster.hub.record import HubRecord
from quest22.cluster.layout import hub_published_name
from quest22.cluster.retry_round import begin_round
from quest22.errors import SinkError
from quest22.sink.hub.hub_repository import RetryPolicy
from quest22.system.retry import Backoff
from tests.cluster.memory_store import MemoryStore
from tests.support.cluster_corpus import (
    Corpus,
    failed_row,
    published_ids,
    published_rows,
    pushing,
    row,
)
from tests.support.hub import Fault, Hub

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the Hub's own client

UNITS = 5
IDS = [f"{unit}-{number}" for unit in range(UNITS) for number in range(2)]
SERVER_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
COMMIT = "/commit/main"


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the stand-in does not speak it
    monkeypatch.setattr(hub_files, "FILE_UNITS", (2,))
    monkeypatch.setattr(hub_push, "BATCH_FILES", 1)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as running:
        yield running


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    made = Corpus(tmp_path, UNITS)
    for unit in range(UNITS):
        made.publish(unit)
    made.close()
    return made


def uploads(hub: Hub) -> int:
    return sum(seen.method == "PUT" for seen in hub.requests)


def record_of(hub: Hub) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(hub.dataset("org/out").head()["quest22.json"])
    return record


def test_all_is_published_once_and_told(corpus: Corpus, hub: Hub) -> None:
    summary = pushing(corpus, hub).run(follow=True)
    files = hub.dataset("org/out").head()
    assert list(published_rows(hub)) == [f"data/test-0000{n}.parquet" for n in range(3)]
    assert published_ids(hub) == IDS
    card = files["README.md"].decode()
    assert "| Transcripts | 10 |" in card
    assert "Word error rate | 33.3" in card
    assert "quest22 plan speech" in card
    assert "not finished" not in card
    assert record_of(hub)["finished"]
    assert (summary.commits, summary.record.units) == (3, UNITS)
    assert corpus.store.exists(hub_published_name(0))
    assert pushing(corpus, hub).run(follow=True).commits == 0
    assert len(hub.dataset("org/out").written) == uploads(hub) == 3


FAULTS = [
    pytest.param(Fault(COMMIT, status=500, times=2), id="500 before"),
    pytest.param(Fault(COMMIT, raw=SERVER_ERROR), id="500 after it was carried out"),
    pytest.param(Fault(COMMIT, cut_after=0), id="no answer"),
    pytest.param(Fault("objects/batch", status=503, times=2), id="503 while it uploads"),
    pytest.param(Fault("/tree/", status=502), id="502 while it looks"),
    pytest.param(Fault(COMMIT, status=429, headers={"Retry-After": "0"}), id="429"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_hub(corpus: Corpus, hub: Hub, fault: Fault) -> None:
    committer, struck = pushing(corpus, hub), replace(fault)
    hub.faults.append(struck)
    committer.run(follow=True)
    assert struck.times == 0
    assert published_ids(hub) == IDS
    assert len(hub.dataset("org/out").written) == 3
    assert record_of(hub)["finished"]


def test_a_rate_limit_is_waited_for_as_the_hub_asks_and_told(
    corpus: Corpus, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    policy = RetryPolicy(6 * 3600.0, Backoff(1.0, 1.0, (1.0, 1.0)), pauses.append, 3700.0)
    committer = pushing(corpus, hub, retries=policy)
    hub.faults.append(Fault(COMMIT, status=429, headers={"Retry-After": "1800"}))
    committer.run(follow=True)
    assert pauses == [1801.0]
    assert "HTTP 429, asks to wait 1800 s" in caplog.text
    assert published_ids(hub) == IDS


def test_a_foreign_commit_between_costs_another_try_and_stays(corpus: Corpus, hub: Hub) -> None:
    committer = pushing(corpus, hub)
    repository = hub.dataset("org/out")

    def interfere() -> None:
        repository.commit({**repository.head(), "notes.txt": b"by hand"})

    committer.check()
    hub.faults.append(Fault("/preupload/main", then=interfere))
    with pytest.raises(SinkError, match=r"other files \(notes.txt\)"):
        committer.run(follow=True)  # nothing of ours was there before
    repository.commit({".gitattributes": b""})
    committer = pushing(corpus, hub)
    hub.faults.append(Fault("/preupload/main", times=0, then=interfere))
    first: list[HubRecord] = []

    def after_first(record: HubRecord) -> None:
        first.append(record)
        if len(first) == 1:
            hub.faults[-1].times = 1

    committer.run(follow=True, on_commit=after_first)
    statuses = [seen.status for seen in hub.requests if seen.path.endswith(COMMIT)]
    assert statuses.count(412) == 2
    assert published_ids(hub) == IDS
    assert repository.head()["notes.txt"] == b"by hand"


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_committer_that_dies_is_continued(corpus: Corpus, hub: Hub, at: int) -> None:
    seen: list[HubRecord] = []

    def die(record: HubRecord) -> None:
        seen.append(record)
        if len(seen) == at:
            raise Killed

    with pytest.raises(Killed):
        pushing(corpus, hub).run(follow=True, on_commit=die)
    assert len(published_rows(hub)) == at
    pushing(corpus, hub).run(follow=True)
    assert published_ids(hub) == IDS
    assert uploads(hub) == 3  # nothing was uploaded again


def test_two_committers_at_the_same_time_do_the_work_of_one(corpus: Corpus, hub: Hub) -> None:
    committers = [pushing(corpus, hub) for _ in range(2)]

    def run(committer: Push) -> None:
        lease = CommitterLease(MemoryStore(), "each has a lease of its own")
        assert lease.acquire()
        committer.run_with(lease)

    threads = [threading.Thread(target=run, args=(each,)) for each in committers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert published_ids(hub) == IDS
    assert record_of(hub)["finished"]
    assert len(hub.dataset("org/out").written) <= 4


def test_a_second_committer_waits_for_the_first(corpus: Corpus, hub: Hub) -> None:
    lease = CommitterLease(corpus.store, "first")
    assert lease.acquire()

    def sleep(seconds: float) -> None:
        lease.release()

    pushing(corpus, hub, schedule=Schedule(sleep=sleep)).run(follow=True)
    assert published_ids(hub) == IDS


def test_what_was_retried_is_published_again(corpus: Corpus, hub: Hub) -> None:
    pushing(corpus, hub).run(follow=True)
    again = begin_round(corpus.store, 1, [3])
    pushing(corpus, hub).run(follow=False)
    assert not record_of(hub)["finished"]
    corpus.publish(3, each=again, text=" three")
    corpus.close(again)
    before = uploads(hub)
    summary = pushing(corpus, hub).run(follow=True)
    assert (summary.commits, uploads(hub) - before) == (1, 1)
    assert published_ids(hub) == IDS
    texts = {values["id"]: values["text"] for r in published_rows(hub).values() for values in r}
    assert [key for key, text in texts.items() if text == " three"] == ["3-0", "3-1"]
    assert record_of(hub)["finished"]
    assert corpus.store.exists(hub_published_name(1))


def test_whole_files_are_published_while_workers_work(tmp_path: Path, hub: Hub) -> None:
    corpus, done = Corpus(tmp_path, UNITS), iter(range(UNITS))
    seen: list[int] = []

    def work(seconds: float) -> None:
        unit = next(done, None)
        if unit is not None:
            corpus.publish(unit)
        else:
            corpus.close()

    schedule = Schedule(commit_seconds=None, commit_rows=4, sleep=work)
    pushing(corpus, hub, schedule=schedule).run(
        follow=True, on_commit=lambda record: seen.append(record.units)
    )
    assert seen == [2, 4, 5]
    assert published_ids(hub) == IDS


def test_many_files_that_grow_wait_until_they_are_whole(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_push, "MAX_PARTIAL", 1)
    corpus = Corpus(tmp_path, UNITS)
    for unit in (0, 2):
        corpus.publish(unit)

    def finish(seconds: float) -> None:
        assert not published_ids(hub)
        for unit in (1, 3, 4):
            corpus.publish(unit)
        corpus.close()

    pushing(corpus, hub, schedule=Schedule(sleep=finish)).run(follow=True)
    assert published_ids(hub) == IDS


def test_once_publishes_what_is_there(tmp_path: Path, hub: Hub) -> None:
    corpus = Corpus(tmp_path, UNITS)
    corpus.publish(3)
    summary = pushing(corpus, hub).run(follow=False)
    assert published_ids(hub) == ["3-0", "3-1"]
    assert not summary.record.finished
    assert "not finished" in hub.dataset("org/out").head()["README.md"].decode()


def test_rows_and_units_that_failed(tmp_path: Path, hub: Hub) -> None:
    corpus = Corpus(tmp_path, 3)
    corpus.publish(0, failed_row(0, 0), failed_row(0, 1))
    corpus.publish(1, row(1, 0, speaker=7), failed_row(1, 1))
    corpus.fail(2)
    corpus.close()
    pushing(corpus, hub).run(follow=True)
    (rows,) = published_rows(hub).values()
    assert [values["error"] for values in rows] == ["decode: no audio"] * 2 + [
        None,
        "decode: no audio",
    ]
    card = hub.dataset("org/out").head()["README.md"].decode()
    assert "| decode: no audio | 3 |" in card
    assert "whose rows are missing | 1 |" in card
    assert "Their rows have an `error`" in card
    assert record_of(hub)["finished"]


@pytest.mark.parametrize("change", ["gone", "other"])
def test_a_file_that_was_changed_by_hand_is_published_again(
    corpus: Corpus, hub: Hub, change: str
) -> None:
    pushing(corpus, hub).run(follow=True)
    repository = hub.dataset("org/out")
    files: dict[str, Any] = dict(repository.head())
    content = files.pop("data/test-00001.parquet")
    if change == "other":
        files["data/test-00001.parquet"] = bytes(70 << 10) + content
    repository.commit(files)
    pushing(corpus, hub).run(follow=True)
    assert published_ids(hub) == IDS


def other_run(hub: Hub, folder: Path) -> None:
    other = Corpus(folder / "other", 1)
    other.publish(0)
    pushing(other, hub).run(follow=False)


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (other_run, "already holds the transcripts of another run"),
        (lambda hub, _: hub.add_dataset("org/out", {"a.txt": b""}), r"other files \(a.txt\)"),
        (
            lambda hub, _: hub.add_dataset("org/out", {"quest22.json": b'{"quest22": 1}'}),
            "another run",
        ),
    ],
)
def test_a_dataset_with_other_content_is_refused(
    corpus: Corpus, hub: Hub, tmp_path: Path, prepare: Callable[[Hub, Path], None], told: str
) -> None:
    (tmp_path / "other").mkdir()
    hub.add_writer("hf_w", "ana", "org")
    prepare(hub, tmp_path)
    before = hub.dataset("org/out").head()
    with pytest.raises(SinkError, match=told):
        pushing(corpus, hub).run(follow=True)
    assert hub.dataset("org/out").head() == before


def test_commits_are_kept_apart(corpus: Corpus, hub: Hub) -> None:
    slept: list[float] = []
    pace = Pace(30.0, clock=lambda: 100.0, sleep=slept.append)
    pushing(corpus, hub, pace=pace).run(follow=True)
    assert slept == [30.0, 30.0]
    begin_round(corpus.store, 1, [0])
    pushing(corpus, hub, pace=Pace(30.0, lambda: 100.0, slept.append)).run(follow=False)
    assert slept == [30.0] * 3  # the first of a second committer, too
