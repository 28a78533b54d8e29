"""What every ledger promises, in memory, in a folder, and in an object store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quest22.cluster.folder_store import FolderStore
from quest22.cluster.layout import data_name
from quest22.cluster.ledger import SHARD_UNITS, Attempt, Claim, Counts, Lease, Ledger
from quest22.cluster.memory_ledger import MemoryLedger
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.open_store import open_store
from quest22.cluster.store_ledger import Outputs, StoreLedger
from tests.cluster.memory_store import MemoryStore
from tests.support.gcs_server import gcs_bucket

Make = Callable[[int], Ledger]
COUNTS = Counts(2, 1, 60.5)


def outputs() -> Outputs:
    return Outputs(lambda unit: data_name(unit, "jsonl"), lambda content: COUNTS)


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with gcs_bucket("ledgers", tmp_path_factory.mktemp("cloud")):
        yield


@pytest.fixture(params=["memory", "folder", "objects", "gs"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    def opened() -> ObjectStore:
        if request.param == "gs":
            request.getfixturevalue("buckets")
            return open_store(f"gs://ledgers/{tmp_path.name}")
        return FolderStore(tmp_path / "store") if request.param == "folder" else MemoryStore()

    def made(units: int) -> Ledger:
        if request.param == "memory":
            return MemoryLedger(units)
        return StoreLedger(opened(), units, outputs())

    return made


@pytest.fixture
def attempt(tmp_path: Path) -> Callable[[str], Attempt]:
    def made(text: str) -> Attempt:
        path = tmp_path / text
        path.write_text(text)
        return Attempt(path, COUNTS)

    return made


def lease(unit: int, epoch: int = 1, worker: str = "a", attempt: int = 1) -> Lease:
    return Lease(unit, epoch, attempt, worker)


def test_an_epoch_belongs_to_one_worker(make: Make) -> None:
    ledger = make(3)
    assert ledger.claim(lease(1)) is Claim.WON
    assert ledger.claim(lease(1)) is Claim.WON  # repeated, as the answer may have been lost
    assert ledger.claim(lease(1, worker="b")) is Claim.LOST
    assert ledger.claim(lease(1, epoch=2, worker="b", attempt=2)) is Claim.WON
    assert ledger.claim(lease(1, epoch=2)) is Claim.LOST
    view = ledger.view(0)
    assert sorted(view.free) == [0, 2]
    assert view.held[1].epoch == 2
    assert view.held[1].attempts == 2


def test_a_renewal_changes_the_version(make: Make) -> None:
    ledger = make(1)
    ledger.claim(lease(0))
    before = ledger.view(0).held[0]
    assert ledger.view(0).held[0] == before
    assert ledger.renew(lease(0))
    assert ledger.view(0).held[0].version != before.version


def test_a_superseded_lease_does_not_look_alive(make: Make) -> None:
    ledger = make(1)
    ledger.claim(lease(0))
    ledger.claim(lease(0, epoch=2, worker="b", attempt=2))
    before = ledger.view(0).held[0]
    assert ledger.renew(lease(0))
    assert ledger.view(0).held[0] == before


@pytest.mark.parametrize(
    ("give_up", "attempts"),
    [
        (lambda ledger: ledger.release(lease(0)), 0),
        (lambda ledger: ledger.fail(lease(0), "broken", False), 1),
    ],
)
def test_what_is_given_up_may_be_claimed_at_once(
    make: Make, give_up: Callable[[Ledger], None], attempts: int
) -> None:
    ledger = make(1)
    ledger.claim(lease(0))
    give_up(ledger)
    give_up(ledger)
    held = ledger.view(0).held[0]
    assert (held.given_up, held.attempts) == (True, attempts)
    assert ledger.claim(lease(0, epoch=2, worker="b")) is Claim.WON
    assert not ledger.view(0).held[0].given_up


def test_a_unit_is_published_once(make: Make, attempt: Callable[[str], Attempt]) -> None:
    ledger = make(2)
    ledger.claim(lease(0))
    ledger.claim(lease(0, epoch=2, worker="b", attempt=2))
    assert ledger.commit(lease(0, epoch=2, worker="b"), attempt("b"))
    assert not ledger.commit(lease(0), attempt("a"))
    assert not ledger.renew(lease(0))
    view = ledger.view(0)
    assert (list(view.free), dict(view.held)) == ([1], {})


def test_the_content_of_the_first_stays(tmp_path: Path, attempt: Callable[[str], Attempt]) -> None:
    ledger = StoreLedger(FolderStore(tmp_path / "store"), 1, outputs())
    ledger.commit(lease(0), attempt("a"))
    ledger.commit(lease(0, epoch=2), attempt("b"))
    assert ledger.commit(lease(0), attempt("a"))  # asked again, as the answer was lost
    files = [path for path in (tmp_path / "store").rglob("part-*") if path.is_file()]
    assert [path.read_text() for path in files] == ["a"]
    assert not list((tmp_path / "store/.quest22/scratch").iterdir())


def test_a_final_failure_ends_a_unit_until_it_is_published(
    make: Make, attempt: Callable[[str], Attempt]
) -> None:
    ledger = make(1)
    ledger.claim(lease(0))
    ledger.fail(lease(0), "broken", True)
    assert ledger.view(0).ended
    assert ledger.commit(lease(0), attempt("a"))
    ledger.fail(lease(0), "broken", True)
    assert ledger.view(0).ended
    assert not ledger.commit(lease(0), attempt("b"))


def test_the_end_of_a_worker_that_could_not_say_what_it_published(
    attempt: Callable[[str], Attempt],
) -> None:
    store = MemoryStore()
    ledger = StoreLedger(store, 1, outputs())
    ledger.claim(lease(0))
    store.create(data_name(0, "jsonl"), b"rows")
    assert not ledger.view(0).ended
    assert ledger.claim(lease(0, epoch=2, worker="b", attempt=2)) is Claim.PUBLISHED
    ledger.settle(0)
    assert ledger.view(0).ended
    assert ledger.states(0)[0].counts == COUNTS


def test_the_index(make: Make) -> None:
    ledger = make(3 * SHARD_UNITS)
    assert ledger.index() == (frozenset(), frozenset())
    for _ in range(2):
        ledger.mark_taken(0)
        ledger.mark_closed(2)
    assert ledger.index() == ({0, 2}, {2})


def test_units_of_other_shards_are_not_seen(make: Make) -> None:
    ledger = make(SHARD_UNITS + 1)
    ledger.claim(lease(SHARD_UNITS))
    assert len(ledger.view(0).free) == SHARD_UNITS
    assert list(ledger.view(1).held) == [SHARD_UNITS]
