"""What every store in a cloud promises: S3, Google Cloud Storage, and Azure's container."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

import pytest

from quest22.cluster.ledger import Attempt, Claim, Counts, Lease
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.open_store import open_store
from quest22.cluster.store_ledger import StoreLedger
from quest22.errors import SinkError, UsageError
from tests.cluster.races import check_that_one_creates
from tests.cluster.test_ledgers import outputs
from tests.support.azurite import azure_container
from tests.support.gcs_server import gcs_bucket
from tests.support.s3_server import s3_bucket

NUMBERS = count()
COUNTS = Counts(2, 1, 60.5)


@pytest.fixture(scope="module", params=["s3", "gs", "az"])
def bucket(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cloud")
    clouds: dict[str, AbstractContextManager[object]] = {
        "s3": s3_bucket("work"),
        "gs": gcs_bucket("work", folder),
        "az": azure_container("work", folder),
    }
    with clouds[request.param]:
        yield f"{request.param}://work"


@pytest.fixture
def store(bucket: str) -> ObjectStore:
    return open_store(f"{bucket}/{next(NUMBERS)}/prefix")


def test_an_object_is_created_once(store: ObjectStore, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"rows")
    assert store.create("data/a", path)
    assert not store.create("data/a", b"others")
    stored = store.read("data/a")
    assert stored is not None
    assert stored.content == b"rows"
    assert store.exists("data/a")
    assert store.holds("data/a", path)
    path.write_bytes(b"lows")
    assert not store.holds("data/a", path)


def test_an_object_is_replaced_by_who_has_seen_its_version(store: ObjectStore) -> None:
    store.write("a", b"1")
    seen = store.read("a")
    assert seen is not None
    assert store.replace("a", b"2", seen.version)
    assert not store.replace("a", b"3", seen.version)
    assert not store.replace("b", b"3", seen.version)
    stored = store.read("a")
    assert stored is not None
    assert stored.content == b"2"


def test_what_is_not_there(store: ObjectStore) -> None:
    assert store.read("a") is None
    assert not store.exists("a")
    assert list(store.listing("folder")) == []


def test_a_listing_has_names_and_versions_beyond_a_page(store: ObjectStore) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: store.write(f"folder/{n:04d}", b"1"), range(1005)))
    store.write("folder/below/x", b"1")
    before = {entry.name: entry.version() for entry in store.listing("folder")}
    assert sorted(before) == [f"{number:04d}" for number in range(1005)]
    store.write("folder/0003", b"2")
    after = {entry.name: entry.version() for entry in store.listing("folder")}
    assert [name for name in before if before[name] != after[name]] == ["0003"]


def test_a_ledger(store: ObjectStore, tmp_path: Path) -> None:
    ledger = StoreLedger(store, 2, outputs())
    lease, later = Lease(0, 1, 1, "a"), Lease(0, 2, 2, "b")
    assert ledger.claim(lease) is Claim.WON
    assert ledger.claim(lease._replace(worker="b")) is Claim.LOST
    before = ledger.view(0).held[0].version
    assert ledger.renew(lease)
    assert ledger.view(0).held[0].version != before
    assert ledger.claim(later) is Claim.WON
    for name in ("b", "a"):
        (tmp_path / name).write_text(name)
    assert ledger.commit(later, Attempt(tmp_path / "b", COUNTS))
    assert not ledger.commit(lease, Attempt(tmp_path / "a", COUNTS))
    assert ledger.states(0)[0].counts == COUNTS
    assert list(ledger.view(0).free) == [1]


def test_a_bucket_that_is_not_there(bucket: str) -> None:
    with pytest.raises(SinkError, match="there is no bucket"):
        open_store(f"{bucket.partition('://')[0]}://nowhere/prefix")


def test_an_address_without_a_bucket(bucket: str) -> None:
    with pytest.raises(UsageError, match="no bucket"):
        open_store(f"{bucket.partition('://')[0]}://")


def test_of_many_that_create_a_name_one_succeeds(store: ObjectStore) -> None:
    check_that_one_creates(store, "a")


def test_of_many_that_replace_a_version_one_succeeds(store: ObjectStore) -> None:
    store.create("a", b"same")
    seen = store.read("a")
    assert seen is not None
    replaced = [store.replace("a", b"same" * n, seen.version) for n in (2, 3, 4)]
    assert replaced == [True, False, False]
