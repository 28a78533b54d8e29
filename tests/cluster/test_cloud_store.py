"""What a store on Google Cloud Storage does when its server refuses, or does not keep promises."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quest22.cluster.cloud_store import CloudStore
from quest22.cluster.ledger import LedgerUnavailableError
from quest22.cluster.open_store import open_store
from quest22.errors import MissingExtraError, SinkError, UsageError
from tests.support.gcs_server import Buckets, gcs_bucket


@pytest.fixture
def buckets(tmp_path: Path) -> Iterator[Buckets]:
    with gcs_bucket("work", tmp_path) as made:
        yield made


def test_a_server_that_ignores_conditions_is_refused(buckets: Buckets) -> None:
    buckets.honours_conditions = False
    with pytest.raises(UsageError, match="ignores conditional writes"):
        open_store("gs://work/x")


def test_equal_contents_have_versions_of_their_own(buckets: Buckets) -> None:
    store = open_store("gs://work/x")
    store.create("a", b"same")
    seen = store.read("a")
    assert seen is not None
    store.write("a", b"same")
    assert not store.replace("a", b"other", seen.version)


@pytest.mark.parametrize(
    ("status", "expected", "told"),
    [
        (401, SinkError, "GOOGLE_APPLICATION_CREDENTIALS"),
        (403, SinkError, "GOOGLE_APPLICATION_CREDENTIALS"),
        (429, LedgerUnavailableError, "429"),
        (503, LedgerUnavailableError, "503"),
    ],
)
@pytest.mark.parametrize("call", ["create", "read", "listing"])
def test_refusals(
    buckets: Buckets, call: str, status: int, expected: type[Exception], told: str
) -> None:
    store = CloudStore("gs://work/x")
    buckets.refusals += [status] * 9
    calls = {
        "create": lambda: store.create("a", b""),
        "read": lambda: store.read("a"),
        "listing": lambda: list(store.listing("a")),
    }
    with pytest.raises(expected, match=told):
        calls[call]()


def test_a_server_that_is_away(buckets: Buckets, tmp_path: Path) -> None:
    store = CloudStore("gs://work/x")
    with gcs_bucket("other", tmp_path / "."):
        away = CloudStore("gs://other/x")
    with pytest.raises(LedgerUnavailableError):
        away.read("a")
    assert store.read("a") is None


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingExtraError, match=r"cluster"):
        CloudStore("gs://work/x")


def test_a_forked_child_is_refused_rather_than_waits(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store("gs://work/x")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    for call in (lambda: store.read("a"), lambda: open_store("gs://work/y")):
        with pytest.raises(UsageError, match="forked"):
            call()
