"""How far a plan is, read from its store again and again at little cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import NamedTuple

from quest22.cluster.ledger import num_shards, units_of
from quest22.cluster.store_ledger import StoreLedger, UnitState

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

    @classmethod
    def of_unit(cls, state: UnitState) -> Totals:
        """Those of one unit."""
        if state.counts is not None:
            return cls(1, 1, 0, *state.counts)
        return cls(1, 0, int(state.failed))

    def plus(self, other: Totals) -> Totals:
        """The sums of both."""
        return Totals(
            self.units + other.units,
            self.published + other.published,
            self.failed + other.failed,
            self.transcripts + other.transcripts,
            self.failures + other.failures,
            self.audio_s + other.audio_s,
        )


def shard_states(ledger: StoreLedger, shards: Iterable[int]) -> Iterator[dict[int, UnitState]]:
    """The units of each of these shards that were ever leased."""
    with ThreadPoolExecutor(LISTINGS) as pool:
        yield from pool.map(ledger.states, shards)


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
        for shard, states in zip(at_work, shard_states(self._ledger, at_work), strict=True):
            never_leased = len(units_of(shard, self._ledger.units)) - len(states)
            found = reduce(Totals.plus, map(Totals.of_unit, states.values()), Totals(never_leased))
            totals = totals.plus(found)
            if not found.left:
                self._ended[shard] = found
        return totals
