"""A store on S3, whose stand-in is moto's server; see test_cloud_stores for what all stores do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from quest22.cluster.ledger import LedgerUnavailableError
from quest22.cluster.open_store import open_store
from quest22.cluster.s3_store import S3Store
from quest22.errors import UsageError
from tests.support.s3_server import s3_bucket

NUMBERS = count()


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_bucket("work"):
        yield "s3://work"


@pytest.fixture
def store(bucket: str) -> S3Store:
    return S3Store(f"{bucket}/{next(NUMBERS)}/prefix")


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


@pytest.mark.parametrize("address", ["https://example.org/x", "ftp://a"])
def test_other_stores_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match="no store that workers can share"):
        open_store(address)


def test_an_address_without_a_bucket_is_refused() -> None:
    with pytest.raises(UsageError, match="no bucket"):
        S3Store("s3://")
