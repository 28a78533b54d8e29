from __future__ import annotations

from pathlib import Path

import pytest

from quest22.errors import UsageError
from quest22.runs.store import LocalRunStore, existing_journal
from quest22.settings import DatasetSettings


def test_a_shard_has_a_store_of_its_own(tmp_path: Path) -> None:
    store = LocalRunStore(tmp_path)
    assert store.for_shard(DatasetSettings("d")) == store
    shard = store.for_shard(DatasetSettings("d", num_shards=16, shard_index=3))
    assert shard.folder == tmp_path / "shard-00003-of-00016"
    assert store.runs() == []


def test_runs_are_found_where_they_were_begun(tmp_path: Path) -> None:
    store = LocalRunStore(tmp_path)
    shards = [store.for_shard(DatasetSettings("d", num_shards=2, shard_index=n)) for n in (1, 0)]
    for shard in shards:
        shard.begin_journal({}, {})
    assert store.runs() == shards[::-1]
    store.begin_journal({}, {})
    assert store.runs() == [store, *shards[::-1]]


def test_a_store_is_locked_by_one_run(tmp_path: Path) -> None:
    store = LocalRunStore(tmp_path / "out")
    assert not store.is_locked()
    assert not store.folder.exists()
    with store.lock(), pytest.raises(UsageError, match="another process"), store.lock():
        pass
    with store.lock():
        assert store.is_locked()
    assert not store.is_locked()


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    store = LocalRunStore(tmp_path)
    assert store.read_journal() is None
    with pytest.raises(UsageError, match=r"no run in .*: give the --output-dir"):
        existing_journal(store)
    store.begin_journal({"model": {"name": "nano"}}, {})
    assert existing_journal(store).plan == {"model": {"name": "nano"}}
