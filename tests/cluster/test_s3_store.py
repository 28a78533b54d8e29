"""A store on S3, whose stand-in is moto's server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from quest22.cluster.ledger import Attempt, Claim, Counts, Lease, LedgerUnavailableError
from quest22.cluster.open_store import open_store
from quest22.cluster.s3_store import S3Store
from quest22.cluster.store_ledger import StoreLedger
from quest22.errors import SinkError, UsageError
from tests.cluster.test_ledgers import outputs
from tests.support.s3_server import s3_bucket

NUMBERS = count()
COUNTS = Counts(2, 1, 60.5)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_bucket("work"):
        yield "s3://work"


@pytest.fixture
def store(bucket: str) -> S3Store:
    return S3Store(f"{bucket}/{next(NUMBERS)}/prefix")


def test_an_object_is_created_once(store: S3Store, tmp_path: Path) -> None:
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


def test_an_object_is_replaced_by_who_has_seen_its_version(store: S3Store) -> None:
    store.write("a", b"1")
    seen = store.read("a")
    assert seen is not None
    assert store.replace("a", b"2", seen.version)
    assert not store.replace("a", b"3", seen.version)
    assert not store.replace("b", b"3", seen.version)
    stored = store.read("a")
    assert stored is not None
    assert stored.content == b"2"


def test_what_is_not_there(store: S3Store) -> None:
    assert store.read("a") is None
    assert not store.exists("a")
    assert list(store.listing("folder")) == []


def test_a_listing_has_names_and_versions_beyond_a_page(store: S3Store) -> None:
    for number in range(1005):
        store.write(f"folder/{number:04d}", b"1")
    store.write("folder/below/x", b"1")
    before = {entry.name: entry.version() for entry in store.listing("folder")}
    assert sorted(before) == [f"{number:04d}" for number in range(1005)]
    store.write("folder/0003", b"2")
    after = {entry.name: entry.version() for entry in store.listing("folder")}
    assert [name for name in before if before[name] != after[name]] == ["0003"]


def test_a_ledger_on_s3(store: S3Store, tmp_path: Path) -> None:
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
        open_store("s3://nowhere/prefix")


def test_a_server_that_ignores_conditions_is_refused(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = S3Store._put
    monkeypatch.setattr(S3Store, "_put", lambda self, name, content, **_: put(self, name, content))
    with pytest.raises(UsageError, match="ignores conditional writes"):
        open_store(f"{bucket}/x")


def test_a_server_that_is_away_is_worth_another_try(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr(store._files, "call_s3", fail)
    with pytest.raises(LedgerUnavailableError, match="timed out"):
        store.create("a", b"")


@pytest.mark.parametrize("address", ["gs://bucket/x", "https://example.org/x", "az://a"])
def test_other_stores_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match="no store that workers can share"):
        open_store(address)


def test_an_address_without_a_bucket_is_refused() -> None:
    with pytest.raises(UsageError, match="no bucket"):
        S3Store("s3://")
