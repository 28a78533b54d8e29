"""A folder as a store: whole files, created once, by any number of threads."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from quest22.cluster.folder_store import LEFTOVER_S, FolderStore
from quest22.cluster.ledger import LedgerUnavailableError
from quest22.cluster.open_store import open_store
from quest22.errors import SinkError
from tests.cluster.races import check_that_one_creates


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_of_many_that_create_a_name_one_succeeds(store: FolderStore) -> None:
    check_that_one_creates(store, "data/a")


def test_of_many_that_replace_a_version_one_succeeds(store: FolderStore) -> None:
    store.create("a", b"first")
    seen = store.read("a")
    assert seen is not None
    replaced = [store.replace("a", b"%d" % n, seen.version) for n in range(3)]
    assert replaced == [True, False, False]
    assert not store.replace("b", b"", seen.version)


def test_a_listing_leaves_out_folders(store: FolderStore) -> None:
    store.create("a/b", b"")
    store.create("a/c/d", b"")
    assert [entry.name for entry in store.listing("a")] == ["b"]
    assert list(store.listing("nowhere")) == []


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, SinkError), (errno.EIO, LedgerUnavailableError)]
)
def test_faults_that_may_pass_are_waited_for(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(expected, match=os.strerror(number)):
        store.create("a", b"")


def test_a_file_system_without_links_is_refused(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(SinkError, match="knows no hard links"):
        store.create("a", b"")


def test_a_link_whose_answer_was_lost_counts(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def made(source: Path, target: Path) -> None:
        link(source, target)
        raise FileExistsError(errno.EEXIST, "it is there")

    monkeypatch.setattr(os, "link", made)
    assert store.create("a", b"")


def test_leftovers_of_dead_workers_go_after_a_day(store: FolderStore, tmp_path: Path) -> None:
    store.create("a", b"")
    scratch = tmp_path / "store/.quest22/scratch"
    for name, age_s in (("old", LEFTOVER_S + 60), ("new", 60)):
        path = scratch / name
        path.write_bytes(b"")
        then = path.stat().st_mtime - age_s
        os.utime(path, (then, then))
    open_store(str(tmp_path / "store"))
    assert [path.name for path in scratch.iterdir()] == ["new"]
