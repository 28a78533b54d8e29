"""What one worker does, decided without doing it: which unit it claims, and when it gives up.

A worker is a generator: it yields what is to be done and is sent the answer, or thrown
:class:`LedgerUnavailableError`. :mod:`quest22.cluster.worker` performs the requests with threads
and a store; the tests' simulation performs the same ones with thousands of workers, a clock of its
own and every fault that it can think of. Knows no threads, stores, files or clocks.

**Where to look.** Reading a million units to find a free one would cost more than the work. Units
are in shards. A worker starts in any shard and stays there while it has free units: one look gives
it several candidates, and it looks again when it loses a claim to another worker. Whoever finds a
shard without free units says so in the index, a single listing, which tells workers that move on
where there is work left. So near the end, too, a unit is found in two or three requests.

**Dead workers.** A lease that does not change for ``lease_s`` is superseded. Each worker measures
that with its own clock from when it first saw the lease, so clocks need not agree.

**Stragglers.** A worker with nothing else to do watches a shard that has not ended, and repeats a
unit that takes longer than its own units do. Whoever is first publishes it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Hashable, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, TypeVar

from quest22.cluster import ledger
from quest22.cluster.ledger import (
    Attempt,
    Holding,
    Lease,
    LedgerUnavailableError,
    ShardView,
    num_shards,
)
from quest22.system.retry import Backoff

CANDIDATES = 16
"""Units that are remembered of one look at a shard."""

WATCHED, GLANCED_AT = 64, 8
"""Leases of others in a shard whose age a worker knows; and while there are free units."""

MOVE_ON = 0.25
"""How often a worker without work leaves the shard that it watches for another."""

STRAGGLER = 1.5
"""A unit is repeated that takes longer than the mean of a worker's own units, by this factor."""

GUESSES = 16
"""Shards that a worker tries by chance before it lists those that are left."""

UNANSWERED = Backoff(first_s=0.5, max_s=30.0, jitter=(0.5, 1.5))
"""Waits before a request is repeated that a store has not answered."""

T = TypeVar("T")


class Policy(NamedTuple):
    """How patient workers are with each other.

    ``lease_s``: after so long without a sign of life a unit is given to another worker.
    ``max_attempts``: after so many failed attempts a unit has failed.
    """

    lease_s: float = 120.0
    max_attempts: int = 3

    @property
    def renew_s(self) -> float:
        """How often a lease is renewed: two renewals may be lost."""
        return self.lease_s / 3

    @property
    def poll_s(self) -> float:
        """How often a worker without work looks for some."""
        return self.lease_s / 8


class ReadIndex(NamedTuple):
    """Answered by an :class:`quest22.cluster.ledger.Index`."""


class MarkTaken(NamedTuple):
    """Record that a shard has no free units."""

    shard: int


class MarkClosed(NamedTuple):
    """Record that a shard has ended."""

    shard: int


class View(NamedTuple):
    """Answered by a :class:`ShardView`."""

    shard: int


class ClaimUnit(NamedTuple):
    """Answered by a :class:`quest22.cluster.ledger.Claim`."""

    lease: Lease


class Renew(NamedTuple):
    """Answered by whether the unit is still to be published."""

    lease: Lease


class Release(NamedTuple):
    """Give a lease back."""

    lease: Lease


class Commit(NamedTuple):
    """Answered by whether this attempt was published."""

    lease: Lease
    attempt: Attempt


class Settle(NamedTuple):
    """Record the end of a published unit."""

    unit: int


class Fail(NamedTuple):
    """Record a failed attempt."""

    lease: Lease
    reason: str
    final: bool


class Wait(NamedTuple):
    """Let time pass; may be answered early, if the worker is stopped."""

    seconds: float


class Transcribe(NamedTuple):
    """Transcribe a unit while :func:`heartbeat` renews its lease.

    Answered by an :class:`Attempt`, an :class:`AttemptError`, or an :class:`Ending`.
    """

    lease: Lease


class AttemptError(NamedTuple):
    """Why a unit could not be transcribed."""

    reason: str


class Abandoned(NamedTuple):
    """The transcription ended early: the unit was published by another (``published``), or the
    worker is stopped."""  # noqa: D205, D209

    published: bool


LedgerRequest: TypeAlias = (
    ReadIndex | MarkTaken | MarkClosed | View | ClaimUnit | Renew | Release | Commit | Settle | Fail
)
Request: TypeAlias = LedgerRequest | Wait | Transcribe
Procedure: TypeAlias = Generator[Request, Any, T]


def performer(book: ledger.Ledger) -> Callable[[LedgerRequest], Any]:
    """A function that gives the ledger's answer to a request."""
    calls = {kind: getattr(book, name) for kind, name in _CALLS.items()}
    return lambda request: calls[type(request)](*request)


_CALLS: dict[type[Any], str] = {
    ReadIndex: "index",
    MarkTaken: "mark_taken",
    MarkClosed: "mark_closed",
    View: "view",
    ClaimUnit: "claim",
    Renew: "renew",
    Release: "release",
    Commit: "commit",
    Settle: "settle",
    Fail: "fail",
}


@dataclass(slots=True)
class _Watched:
    """A lease of another worker: which one, when it was first seen, and when it last changed."""

    epoch: int
    version: Hashable
    seen_at: float
    changed_at: float


class Worker:
    """One worker: ``run`` is its procedure; set ``stopping`` to end it early.

    ``clock`` gives seconds that pass evenly, from any zero. ``rng`` spreads the workers: give each
    its own.
    """

    def __init__(
        self, name: str, units: int, policy: Policy, clock: Callable[[], float], rng: random.Random
    ) -> None:
        self.stopping = False
        self._name = name
        self._policy = policy
        self._clock = clock
        self._rng = rng
        self._shards = num_shards(units)
        self._shard: int | None = None
        self._watches = False
        self._left: Sequence[int] = range(self._shards)  # for _any_but
        self._candidates: list[tuple[int, int, int]] = []
        self._watched: dict[int, _Watched] = {}
        self._watched_shard: int | None = None
        self._transcribed = 0
        self._transcribed_s = 0.0

    def run(self) -> Procedure[None]:
        """Transcribe units until all have ended, or the worker is stopped."""
        return _insistent(self._work(), self._rng)

    def _work(self) -> Procedure[None]:
        while (lease := (yield from self._obtain())) is not None:
            yield from self._transcribe(lease)

    def _transcribe(self, lease: Lease) -> Procedure[None]:
        began = self._clock()
        result = yield Transcribe(lease)
        match result:
            case Attempt():
                self._transcribed += 1
                self._transcribed_s += self._clock() - began
                if not (yield Commit(lease, result)):
                    yield Settle(lease.unit)
            case AttemptError(reason):
                final = lease.attempt >= self._policy.max_attempts
                yield Fail(lease, reason, final)
            case Abandoned(published) if not published:
                yield Release(lease)

    def _obtain(self) -> Procedure[Lease | None]:
        """The lease of the next unit; None if there is none, or the worker is stopped."""
        while not self.stopping:
            while self._candidates:
                lease = Lease(*self._candidates.pop(), self._name)
                claimed = yield ClaimUnit(lease)
                if claimed is ledger.Claim.WON:
                    return lease
                if claimed is ledger.Claim.PUBLISHED:
                    yield Settle(lease.unit)
                else:
                    self._candidates.clear()  # what was seen is out of date
            if self._shard is None and not (yield from self._choose_shard()):
                return None
            yield from self._look()
        return None

    def _choose_shard(self) -> Procedure[bool]:
        """Go to any shard with free units; without any, to one to watch; False if all ended."""
        index: ledger.Index = yield ReadIndex()
        self._shard = None if self._watches else self._any_but(index.taken)
        if self._shard is None:
            if not self._watches:
                self._watches, self._left = True, range(self._shards)
            self._shard = self._any_but(index.closed)
        if self._shard != self._watched_shard:  # of the only one left, the ages stay known
            self._watched_shard = self._shard
            self._watched.clear()
        return self._shard is not None

    def _any_but(self, done: Set[int]) -> int | None:
        """Any shard but these, which only become more; None if there is no other.

        Those that are left are listed when most are done: before, a few guesses find one.
        """
        if not self._left:
            return None
        for _ in range(GUESSES):
            if (shard := self._rng.choice(self._left)) not in done:
                return shard
        self._left = [shard for shard in self._left if shard not in done]
        return self._rng.choice(self._left) if self._left else None

    def _look(self) -> Procedure[None]:
        """Read the shard, and remember what may be claimed there; leave it if that is nothing."""
        shard = self._shard
        if shard is None:
            return
        view: ShardView = yield View(shard)
        if view.ended:
            yield MarkClosed(shard)
            self._shard = None
            return
        self._candidates = self._fresh(view.free)
        yield from self._look_at_others(view, GLANCED_AT if view.free else WATCHED)
        if self._candidates:
            return
        if not self._watches:
            yield MarkTaken(shard)
            self._shard = None
            return
        yield Wait(self._policy.poll_s * self._rng.uniform(0.5, 1.5))
        if self._rng.random() < MOVE_ON:
            self._shard = None

    def _fresh(self, free: Sequence[int]) -> list[tuple[int, int, int]]:
        """Neighbours, from anywhere: the next unit is probably of the same data file."""
        if not free:
            return []
        first = self._rng.randrange(len(free))
        return [(unit, 1, 1) for unit in free[first : first + CANDIDATES]][::-1]

    def _look_at_others(self, view: ShardView, most: int) -> Procedure[None]:
        """Find leases to supersede: given up, without a sign of life, or a straggler's."""
        now = self._clock()
        found = []
        for unit, holding in islice(view.held.items(), most):  # the same again, to know their age
            expired = self._watch(unit, holding, now)
            if expired or holding.given_up or self._is_straggler(unit, holding, now):
                found.append((unit, holding, expired))
        self._rng.shuffle(found)
        for unit, holding, expired in found:
            if expired and holding.attempts >= self._policy.max_attempts:
                reason = f"{holding.attempts} workers ended while they transcribed it"
                last = Lease(unit, holding.epoch, holding.attempts, self._name)
                yield Fail(last, reason, True)
            else:
                self._candidates.append((unit, holding.epoch + 1, holding.attempts + 1))

    def _watch(self, unit: int, holding: Holding, now: float) -> bool:
        """Whether a lease has expired, as far as this worker has watched it."""
        watched = self._watched.get(unit)
        if watched is None or watched.epoch != holding.epoch:
            self._watched[unit] = _Watched(holding.epoch, holding.version, now, now)
            return False
        if watched.version != holding.version:
            watched.version, watched.changed_at = holding.version, now
        return not holding.given_up and now - watched.changed_at > self._policy.lease_s

    def _is_straggler(self, unit: int, holding: Holding, now: float) -> bool:
        if (
            not self._watches
            or not self._transcribed
            or holding.attempts >= self._policy.max_attempts
        ):
            return False
        usual_s = self._transcribed_s / self._transcribed
        return now - self._watched[unit].seen_at > STRAGGLER * usual_s


def _insistent(procedure: Procedure[T], rng: random.Random) -> Procedure[T]:
    """The same procedure, whose requests are repeated until the ledger answers them."""
    answer: Any = None
    while True:
        try:
            request = procedure.send(answer)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]
        try:
            answer = yield request
        except LedgerUnavailableError:
            answer = yield from _insist_again(request, rng)


def _insist_again(request: Request, rng: random.Random) -> Procedure[Any]:
    delays = UNANSWERED.delays(rng)
    while True:
        yield Wait(next(delays))
        try:
            return (yield request)
        except LedgerUnavailableError:
            pass


def heartbeat(lease: Lease, policy: Policy, rng: random.Random) -> Procedure[None]:
    """Renews a lease while its unit is transcribed; ends once the unit is published by another.

    An answer that does not come is not waited for: the next renewal is as good.
    """
    while True:
        yield Wait(policy.renew_s * rng.uniform(0.9, 1.0))
        try:
            if not (yield Renew(lease)):
                return
        except LedgerUnavailableError:
            continue
