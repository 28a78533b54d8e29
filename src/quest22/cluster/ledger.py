"""What workers agree on: which units are leased, and which have ended.

A unit is free, leased, or ended: published, or failed for good. Each lease has an epoch, one more
than the unit's last one, and only one worker ever has a given epoch of a unit. A lease is never
taken away: it is superseded by the next epoch, once nobody renews it. What keeps a slow worker from
doing harm is publication: a unit is published once, under one name, by whoever comes first.

Times are not part of it, so clocks need not agree: whoever waits for a lease watches whether its
version changes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from quest22.errors import Quest22Error

SHARD_UNITS = 500
"""Units whose state is read together: their leases and ends fit one page of an object store."""


class LedgerUnavailableError(Quest22Error):
    """A request was not answered; whether it was carried out is unknown, and it may be repeated."""


class Lease(NamedTuple):
    """The right to work on a unit: attempt number ``attempt`` (from 1) to transcribe it.

    Epochs that were given back are no attempts.
    """

    unit: int
    epoch: int
    attempt: int
    worker: str


class Counts(NamedTuple):
    """What a unit's rows are."""

    transcripts: int
    failures: int
    audio_s: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """A transcribed unit that is not published: a local file, and what its rows are.

    ``replaces``: the version of the published object that it is to replace, in a later round.
    """

    path: Path
    counts: Counts
    replaces: Hashable = None


class Holding(NamedTuple):
    """The newest lease of a unit that has not ended.

    ``version`` changes with each renewal. ``given_up``: its worker has given it back or failed, so
    the next epoch may be claimed at once. ``attempts`` counts the epochs that were not given back.
    """

    epoch: int
    version: Hashable
    given_up: bool
    attempts: int


class ShardView(NamedTuple):
    """The units of one shard that have not ended: those that were never leased, and the others."""

    free: Sequence[int]
    held: Mapping[int, Holding]

    @property
    def ended(self) -> bool:
        """Whether all units of the shard have ended."""
        return not self.free and not self.held


class Index(NamedTuple):
    """The shards without free units, and those of them whose units have all ended.

    An entry may be late, never early.
    """

    taken: Set[int]
    closed: Set[int]


class Claim(Enum):
    """How a claim ends.

    ``PUBLISHED``: the lease is held, and the unit has been published by a worker that died before
    it could say so.
    """

    WON = "won"
    LOST = "lost"
    PUBLISHED = "published"


class Ledger(Protocol):
    """The state of all units; every call may raise :class:`LedgerUnavailableError`.

    Every call may be repeated: a worker that claims what it holds has it, and one that commits what
    it has published is told so.
    """

    @property
    def units(self) -> int:
        """The number of units, counted from 0; shard n has those from ``SHARD_UNITS * n`` on."""
        ...

    def index(self) -> Index:
        """What :meth:`mark_taken` and :meth:`mark_closed` have said, without a look at units."""
        ...

    def mark_taken(self, shard: int) -> None:
        """Record that all units of a shard were leased once, so that nobody looks for more."""
        ...

    def mark_closed(self, shard: int) -> None:
        """Record that all units of a shard have ended."""
        ...

    def view(self, shard: int) -> ShardView: ...

    def claim(self, lease: Lease) -> Claim:
        """Take an epoch of a unit, if nobody else has."""
        ...

    def renew(self, lease: Lease) -> bool:
        """Change the lease's version; False: the unit is published, so more work is in vain."""
        ...

    def release(self, lease: Lease) -> None:
        """Give a lease back: the unit may be claimed at once, and this was no attempt."""
        ...

    def commit(self, lease: Lease, attempt: Attempt) -> bool:
        """Publish a unit; False: it was published before, with other content perhaps."""
        ...

    def settle(self, unit: int) -> None:
        """Record the end of a unit that is published, if its worker died before it could."""
        ...

    def fail(self, lease: Lease, reason: str, final: bool) -> None:
        """Record a failed attempt; after a ``final`` one the unit has ended, unless published."""
        ...


def num_shards(units: int) -> int:
    """How many shards there are."""
    return -(-units // SHARD_UNITS)


def shard_of(unit: int) -> int:
    """The shard that a unit is in."""
    return unit // SHARD_UNITS


def units_of(shard: int, units: int) -> range:
    """The units in a shard, if there are ``units`` in all."""
    first = SHARD_UNITS * shard
    return range(first, min(first + SHARD_UNITS, units))


def all_ended(ledger: Ledger) -> bool:
    """Whether there is nothing left to do, as far as the index says."""
    return len(ledger.index().closed) >= num_shards(ledger.units)
