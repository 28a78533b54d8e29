"""What one worker decides, step by step, with a clock that stands still."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quest22.cluster.ledger import Attempt, Counts, Lease, LedgerUnavailableError
from quest22.cluster.memory_ledger import MemoryLedger
from quest22.cluster.procedure import (
    Abandoned,
    AttemptError,
    ClaimUnit,
    Commit,
    Policy,
    Release,
    Renew,
    Request,
    Transcribe,
    Wait,
    Worker,
    heartbeat,
    performer,
)

POLICY = Policy(lease_s=100.0, max_attempts=2)
DONE = Attempt(Path("rows"), Counts(1, 0, 1.0))


class Bench:
    """A worker that is driven by hand; ``asked`` has all its requests."""

    def __init__(
        self,
        ledger: MemoryLedger,
        *,
        results: Callable[[Lease], Any] = lambda _: DONE,
        seed: int = 0,
    ):
        self.now = 0.0
        self.asked: list[Request] = []
        self.worker = Worker("w", ledger.units, POLICY, lambda: self.now, random.Random(seed))
        self._ledger = ledger
        self._results = results

    def run(self, most: int = 1000) -> None:
        """Answer what the worker asks; waiting takes as long as it says."""
        procedure = self.worker.run()
        answer = None
        for _ in range(most):
            try:
                request = procedure.send(answer)
            except StopIteration:
                return
            self.asked.append(request)
            if isinstance(request, Wait):
                self.now += request.seconds
                answer = None
            elif isinstance(request, Transcribe):
                answer = self._results(request.lease)
            else:
                answer = performer(self._ledger)(request)
        raise AssertionError("the worker does not end")

    def leases(self) -> list[Lease]:
        return [each.lease for each in self.asked if isinstance(each, Transcribe)]


def test_a_lone_worker_does_every_unit_once_and_ends() -> None:
    ledger = MemoryLedger(40)
    bench = Bench(ledger)
    bench.run()
    assert sorted(lease.unit for lease in bench.leases()) == list(range(40))
    assert sorted(ledger.published) == list(range(40))
    assert not [each for each in bench.asked if isinstance(each, Wait)]


def test_without_units_there_is_nothing_to_do() -> None:
    bench = Bench(MemoryLedger(0))
    bench.run()
    assert not bench.leases()


@pytest.mark.parametrize("seed", range(20))
def test_a_lease_without_a_sign_of_life_is_superseded_after_its_time(seed: int) -> None:
    ledger = MemoryLedger(1)
    ledger.claim(Lease(0, 1, 1, "dead"))
    bench = Bench(ledger, seed=seed)
    bench.run()
    assert bench.leases() == [Lease(0, 2, 2, "w")]
    assert 100 < bench.now < 200


def test_a_lease_that_is_renewed_is_left_alone() -> None:
    ledger = MemoryLedger(1)
    owned = Lease(0, 1, 1, "alive")
    ledger.claim(owned)
    bench = Bench(ledger)
    waits = 0
    procedure = bench.worker.run()
    request = next(procedure)
    while waits < 100:
        assert not isinstance(request, ClaimUnit)
        if isinstance(request, Wait):
            waits += 1
            bench.now += request.seconds
            ledger.renew(owned)
            request = procedure.send(None)
        else:
            request = procedure.send(performer(ledger)(request))


def test_a_unit_whose_workers_die_fails_for_good() -> None:
    ledger = MemoryLedger(1)
    ledger.claim(Lease(0, 1, 1, "dead"))
    ledger.claim(Lease(0, 2, 2, "dead too"))
    bench = Bench(ledger)
    bench.run()
    assert not bench.leases()
    assert ledger.failed == {0: "2 workers ended while they transcribed it"}


def test_a_unit_that_cannot_be_transcribed_is_tried_again_and_then_fails() -> None:
    ledger = MemoryLedger(2)
    bench = Bench(ledger, results=lambda lease: AttemptError("bad") if lease.unit else DONE)
    bench.run()
    assert [lease.attempt for lease in bench.leases() if lease.unit] == [1, 2]
    assert ledger.failed == {1: "bad"}
    assert list(ledger.published) == [0]


def test_a_straggler_is_repeated_by_a_worker_without_work() -> None:
    ledger = MemoryLedger(2)
    slow = Lease(0, 1, 1, "slow")
    ledger.claim(slow)

    def transcribed(lease: Lease) -> Attempt:
        bench.now += 50
        ledger.renew(slow)
        return DONE

    bench = Bench(ledger, results=transcribed)
    bench.run()
    assert bench.leases() == [Lease(1, 1, 1, "w"), Lease(0, 2, 2, "w")]


def test_a_stopped_worker_gives_its_unit_back_and_ends() -> None:
    ledger = MemoryLedger(3)

    def stopped(lease: Lease) -> Abandoned:
        bench.worker.stopping = True
        return Abandoned(published=False)

    bench = Bench(ledger, results=stopped)
    bench.run()
    (lease,) = bench.leases()
    assert bench.asked[-1] == Release(lease)
    assert ledger.view(0).held[lease.unit].given_up


def test_a_request_that_is_not_answered_is_repeated() -> None:
    ledger = MemoryLedger(1)
    bench = Bench(ledger)
    procedure = bench.worker.run()
    request = next(procedure)
    while not isinstance(request, Commit):
        answer = DONE if isinstance(request, Transcribe) else performer(ledger)(request)
        request = procedure.send(answer)
    performer(ledger)(request)  # it was published, and the answer got lost
    waited = procedure.throw(LedgerUnavailableError("timed out"))
    assert isinstance(waited, Wait)
    assert procedure.send(None) == request
    assert list(ledger.published) == [0]


def test_a_heartbeat_renews_until_another_worker_is_faster() -> None:
    lease = Lease(0, 1, 1, "w")
    beating = heartbeat(lease, POLICY, random.Random(0))
    waited = next(beating)
    assert isinstance(waited, Wait)
    assert 30 <= waited.seconds <= 100 / 3
    assert beating.send(None) == Renew(lease)
    assert isinstance(beating.throw(LedgerUnavailableError("503")), Wait)
    assert beating.send(None) == Renew(lease)
    with pytest.raises(StopIteration):
        beating.send(False)
