"""The totals of a plan, read while workers work."""

from __future__ import annotations

from pathlib import Path

from quest22.cluster.layout import data_name
from quest22.cluster.ledger import SHARD_UNITS, Attempt, Counts, Lease
from quest22.cluster.progress import StoreProgress, Totals
from quest22.cluster.store_ledger import Outputs, StoreLedger
from tests.cluster.memory_store import MemoryStore


def test_totals_follow_the_ledger(tmp_path: Path) -> None:
    store, file = MemoryStore(), tmp_path / "unit"
    file.write_text("rows")
    outputs = Outputs(lambda unit: data_name(unit, "jsonl"), lambda content: Counts(0, 0, 0.0))
    ledger = StoreLedger(store, SHARD_UNITS + 2, outputs)
    progress = StoreProgress(ledger)
    assert progress.read() == Totals(units=SHARD_UNITS + 2)

    first, last = Lease(0, 1, 1, "a"), Lease(SHARD_UNITS, 1, 1, "a")
    assert ledger.commit(first, Attempt(file, Counts(3, 1, 60.5)))
    assert ledger.commit(last, Attempt(file, Counts(2, 0, 30.0)))
    ledger.claim(Lease(1, 1, 1, "b"))
    assert progress.read() == Totals(SHARD_UNITS + 2, 2, 0, 5, 1, 90.5)
    assert progress.read().left == SHARD_UNITS

    ledger.fail(Lease(SHARD_UNITS + 1, 1, 1, "a"), "broken", final=True)
    assert progress.read() == Totals(SHARD_UNITS + 2, 2, 1, 5, 1, 90.5)


def test_a_shard_that_has_ended_is_not_read_again(tmp_path: Path) -> None:
    store, file = MemoryStore(), tmp_path / "unit"
    file.write_text("rows")
    outputs = Outputs(lambda unit: data_name(unit, "jsonl"), lambda content: Counts(0, 0, 0.0))
    ledger = StoreLedger(store, 1, outputs)
    progress = StoreProgress(ledger)
    ledger.commit(Lease(0, 1, 1, "a"), Attempt(file, Counts(3, 1, 60.5)))
    whole = progress.read()
    store.objects.clear()
    store.folders.clear()
    assert progress.read() == whole
