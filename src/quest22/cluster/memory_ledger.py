"""A ledger in memory: for workers of one process, and for an actor that many ask."""

from __future__ import annotations

from dataclasses import dataclass, field

from quest22.cluster.ledger import (
    Attempt,
    Claim,
    Counts,
    Holding,
    Index,
    Lease,
    ShardView,
    num_shards,
    shard_of,
    units_of,
)


@dataclass(slots=True)
class _Shard:
    free: set[int]
    held: dict[int, Holding] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)


class MemoryLedger:
    """A :class:`quest22.cluster.ledger.Ledger`; calls must not overlap.

    ``published`` has what each published unit's rows are, ``failed`` why the others failed.
    """

    def __init__(self, units: int) -> None:
        self.published: dict[int, Counts] = {}
        self.failed: dict[int, str] = {}
        self._units = units
        self._shards = [_Shard(set(units_of(n, units))) for n in range(num_shards(units))]
        self._index = Index(frozenset(), frozenset())
        self._beats = 0

    @property
    def units(self) -> int:
        return self._units

    def index(self) -> Index:
        return self._index

    def mark_taken(self, shard: int) -> None:
        if shard not in self._index.taken:
            self._index = self._index._replace(taken=self._index.taken | {shard})

    def mark_closed(self, shard: int) -> None:
        if shard not in self._index.closed:
            self.mark_taken(shard)
            self._index = self._index._replace(closed=self._index.closed | {shard})

    def view(self, shard: int) -> ShardView:
        found = self._shards[shard]
        return ShardView(tuple(found.free), found.held.copy())

    def claim(self, lease: Lease) -> Claim:
        unit, shard = lease.unit, self._shards[shard_of(lease.unit)]
        held = shard.held.get(unit)
        if held is not None and held.epoch == lease.epoch and shard.owners[unit] == lease.worker:
            return Claim.WON
        before = 0 if unit in shard.free else held.epoch if held is not None else lease.epoch
        if lease.epoch <= before:
            return Claim.LOST
        shard.free.discard(unit)
        shard.held[unit] = Holding(lease.epoch, self._beat(), False, lease.attempt)
        shard.owners[unit] = lease.worker
        return Claim.WON

    def renew(self, lease: Lease) -> bool:
        held = self._own(lease)
        if held is not None:
            self._hold(lease, Holding(held.epoch, self._beat(), held.given_up, held.attempts))
        return lease.unit not in self.published

    def release(self, lease: Lease) -> None:
        held = self._own(lease)
        if held is not None and not held.given_up:
            self._hold(lease, held._replace(given_up=True, attempts=held.attempts - 1))

    def commit(self, lease: Lease, attempt: Attempt) -> bool:
        if lease.unit in self.published:
            return False
        self.published[lease.unit] = attempt.counts
        self.failed.pop(lease.unit, None)
        self._end(lease.unit)
        return True

    def settle(self, unit: int) -> None:
        """Publishing is recorded at once here."""

    def fail(self, lease: Lease, reason: str, final: bool) -> None:
        if final and lease.unit not in self.published:
            self.failed[lease.unit] = reason
            self._end(lease.unit)
            return
        held = self._own(lease)
        if held is not None:
            self._hold(lease, held._replace(given_up=True))

    def _own(self, lease: Lease) -> Holding | None:
        """The unit's holding, if it is still this lease."""
        shard = self._shards[shard_of(lease.unit)]
        held = shard.held.get(lease.unit)
        is_own = held is not None and held.epoch == lease.epoch
        return held if is_own and shard.owners[lease.unit] == lease.worker else None

    def _hold(self, lease: Lease, holding: Holding) -> None:
        self._shards[shard_of(lease.unit)].held[lease.unit] = holding

    def _end(self, unit: int) -> None:
        shard = self._shards[shard_of(unit)]
        shard.free.discard(unit)
        shard.held.pop(unit, None)
        shard.owners.pop(unit, None)

    def _beat(self) -> int:
        self._beats += 1
        return self._beats
