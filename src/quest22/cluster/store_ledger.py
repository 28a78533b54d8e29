"""A ledger in an object store, for workers that share nothing else: see :mod:`layout`.

Every step creates a name that did not exist, so two workers cannot both take it; only a lease is
rewritten, by its worker, to show that it lives. Unfinished steps of workers that died are harmless:
what they did stays, and what they did not do is done by the next one.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from quest22.cluster.layout import (
    done_counts,
    done_state,
    index_folder,
    shard_name,
    unit_name,
    units_folder,
)
from quest22.cluster.ledger import (
    Attempt,
    Claim,
    Counts,
    Holding,
    Index,
    Lease,
    ShardView,
    units_of,
)
from quest22.cluster.object_store import Entry, ObjectStore

FAILED, RELEASED = "failed", "released"
TAKEN, CLOSED = "taken", "closed"


class Outputs(NamedTuple):
    """Where units are published: the name of each, and how its rows are counted."""

    name_of: Callable[[int], str]
    counts_of: Callable[[bytes], Counts]


class StoreLedger:
    """A :class:`quest22.cluster.ledger.Ledger` of round ``number`` over ``units`` units.

    In the rounds after the first, units that were published are replaced, by whoever has seen the
    version that is there; what a worker that died has replaced is found, and gone on from.
    """

    def __init__(self, store: ObjectStore, units: int, outputs: Outputs, number: int = 0) -> None:
        self._store = store
        self._units = units
        self._outputs = outputs
        self._number = number
        self._beats = 0

    @property
    def units(self) -> int:
        return self._units

    def index(self) -> Index:
        shards: dict[str, set[int]] = {TAKEN: set(), CLOSED: set()}
        for entry in self._store.listing(index_folder(self._number)):
            shard, _, state = entry.name.partition(".")
            if shard.isdigit() and state in shards:
                shards[state].add(int(shard))
        return Index(shards[TAKEN] | shards[CLOSED], shards[CLOSED])

    def mark_taken(self, shard: int) -> None:
        self._mark(shard, TAKEN)

    def mark_closed(self, shard: int) -> None:
        self._mark(shard, CLOSED)

    def _mark(self, shard: int, state: str) -> None:
        self._store.create(f"{index_folder(self._number)}/{shard_name(shard)}.{state}", b"")

    def view(self, shard: int) -> ShardView:
        states = self.states(shard)
        units = units_of(shard, self._units)
        free = [unit for unit in units if unit not in states]
        held = {unit: each.holding() for unit, each in states.items() if not each.ended}
        return ShardView(free, held)

    def states(self, shard: int) -> dict[int, UnitState]:
        """What is known of each unit of a shard that was ever leased."""
        entries: dict[int, list[tuple[str, Entry]]] = defaultdict(list)
        for entry in self._store.listing(units_folder(self._number, shard)):
            unit, _, state = entry.name.partition(".")
            if unit.isdigit():
                entries[int(unit)].append((state, entry))
        return {unit: UnitState.of(each) for unit, each in sorted(entries.items())}

    def claim(self, lease: Lease) -> Claim:
        name = self._lease_name(lease)
        if not self._store.create(name, self._lease_content(lease)):
            taken = self._store.read(name)
            if taken is None or not _is_of(taken.content, lease):
                return Claim.LOST
        if (
            lease.epoch > 1
            and not self._number
            and self._store.exists(self._outputs.name_of(lease.unit))
        ):
            return Claim.PUBLISHED
        return Claim.WON

    def renew(self, lease: Lease) -> bool:
        self._store.write(self._lease_name(lease), self._lease_content(lease))
        return self._number > 0 or not self._store.exists(self._outputs.name_of(lease.unit))

    def release(self, lease: Lease) -> None:
        self._store.create(f"{self._lease_name(lease)}.{RELEASED}", b"")

    def commit(self, lease: Lease, attempt: Attempt) -> bool:
        name, path = self._outputs.name_of(lease.unit), attempt.path
        if attempt.replaces is None:
            is_first = self._store.create(name, path)
        else:
            is_first = self._store.replace(name, path, attempt.replaces)
        if not is_first and not self._store.holds(name, path):
            return False
        self._say(lease.unit, done_state(attempt.counts))
        return True

    def settle(self, unit: int) -> None:
        published = self._store.read(self._outputs.name_of(unit))
        if published is not None:
            self._say(unit, done_state(self._outputs.counts_of(published.content)))

    def fail(self, lease: Lease, reason: str, final: bool) -> None:
        told = json.dumps({"reason": reason, "worker": lease.worker}, ensure_ascii=False).encode()
        if final:
            self._say(lease.unit, FAILED, told)
        else:
            self._store.create(f"{self._lease_name(lease)}.{FAILED}", told)

    def reason(self, unit: int) -> str:
        """Why a unit failed for good; empty if it did not."""
        told = self._store.read(unit_name(self._number, unit, FAILED))
        return "" if told is None else str(json.loads(told.content)["reason"])

    def _say(self, unit: int, state: str, content: bytes = b"") -> None:
        self._store.create(unit_name(self._number, unit, state), content)

    def _lease_name(self, lease: Lease) -> str:
        return unit_name(self._number, lease.unit, f"e{lease.epoch}")

    def _lease_content(self, lease: Lease) -> bytes:
        """Never the same twice, so that each renewal changes the object's version."""
        self._beats += 1
        return json.dumps({"worker": lease.worker, "beat": self._beats}).encode()


def _is_of(content: bytes, lease: Lease) -> bool:
    try:
        return bool(json.loads(content)["worker"] == lease.worker)
    except (ValueError, KeyError, TypeError):
        return False


class UnitState(NamedTuple):
    """What the names in a store say of a unit; ``counts`` if it is published."""

    counts: Counts | None
    failed: bool
    lease: Entry | None
    epoch: int
    given_up: bool
    released: int

    @classmethod
    def of(cls, entries: Iterable[tuple[str, Entry]]) -> UnitState:
        """The state that these objects describe, such as ``e1`` and ``e1.failed``."""
        counts: Counts | None = None
        failed = False
        leases: dict[int, Entry] = {}
        ends: dict[int, str] = {}
        for state, entry in entries:
            if state == FAILED:
                failed = True
            elif state.startswith("done"):
                counts = done_counts(state) or counts
            else:
                for epoch, end in _epochs(state):
                    leases.setdefault(epoch, entry)
                    if end:
                        ends[epoch] = end
                    else:
                        leases[epoch] = entry
        epoch = max(leases, default=0)
        released = sum(end == RELEASED for end in ends.values())
        return cls(counts, failed, leases.get(epoch), epoch, epoch in ends, released)

    @property
    def ended(self) -> bool:
        """Published, or failed for good."""
        return self.counts is not None or self.failed

    def holding(self) -> Holding:
        """The newest lease."""
        version = None if self.lease is None else self.lease.version()
        return Holding(self.epoch, version, self.given_up, self.epoch - self.released)


def _epochs(state: str) -> Iterator[tuple[int, str]]:
    """``e3`` and ``e3.failed``, as the epoch and how it ended."""
    epoch, _, end = state.partition(".")
    if epoch[:1] == "e" and epoch[1:].isdigit():
        yield int(epoch[1:]), end
