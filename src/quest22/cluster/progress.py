"""How far a plan is, read from its store again and again at little cost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import NamedTuple

from quest22.cluster.ledger import num_shards, units_of
from quest22.cluster.store_ledger import StoreLedger

LISTINGS = 16
"""Shards that are listed at the same time."""


class Totals(NamedTuple):
    """The units of a plan that are published or have failed for good, and what their rows are."""

    units: int = 0
    published: int = 0
    failed: int = 0
    transcripts: int = 0
    failures: int = 0
    audio_s: float = 0.0

    @property
    def left(self) -> int:
        """Units that have not ended."""
        return self.units - self.published - self.failed

    def plus(self, other: Totals) -> Totals:
        """The sums of both."""
        return Totals(*(a + b for a, b in zip(self, other, strict=True)))  # type: ignore[arg-type]


class StoreProgress:
    """Adds up a ledger. Shards that have ended are not read again."""

    def __init__(self, ledger: StoreLedger) -> None:
        self._ledger = ledger
        self._ended: dict[int, Totals] = {}

    def read(self) -> Totals:
        """The totals now; raises what the ledger's store does."""
        shards = range(num_shards(self._ledger.units))
        at_work = [shard for shard in shards if shard not in self._ended]
        totals = reduce(Totals.plus, self._ended.values(), Totals())
        with ThreadPoolExecutor(LISTINGS) as pool:
            for shard, found in zip(at_work, pool.map(self._shard, at_work), strict=True):
                totals = totals.plus(found)
                if not found.left:
                    self._ended[shard] = found
        return totals

    def _shard(self, shard: int) -> Totals:
        totals = Totals(units=len(units_of(shard, self._ledger.units)))
        for state in self._ledger.states(shard).values():
            if state.counts is not None:
                totals = totals.plus(Totals(0, 1, 0, *state.counts))
            elif state.failed:
                totals = totals.plus(Totals(failed=1))
        return totals
