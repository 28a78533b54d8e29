"""What a run does for workers that died."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quest22.cluster.ledger import Lease, Ledger
from quest22.cluster.memory_ledger import MemoryLedger

pytest.importorskip("ray")

from quest22.cluster.ray.launch import give_up

OWN, NEXT = Lease(0, 1, 1, "a"), Lease(0, 2, 2, "b")


@pytest.mark.parametrize(
    ("meanwhile", "epoch", "given_up", "attempts"),
    [
        (lambda ledger: None, 1, True, 1),
        (lambda ledger: ledger.release(OWN), 1, True, 0),
        (lambda ledger: ledger.claim(NEXT), 2, False, 2),
    ],
)
def test_the_unit_of_a_dead_worker_is_free_at_once(
    meanwhile: Callable[[Ledger], None], epoch: int, given_up: bool, attempts: int
) -> None:
    ledger = MemoryLedger(1)
    ledger.claim(OWN)
    meanwhile(ledger)
    give_up(ledger, OWN, "its node is gone", max_attempts=3)
    held = ledger.view(0).held[0]
    assert (held.epoch, held.given_up, held.attempts) == (epoch, given_up, attempts)


def test_a_unit_that_kills_workers_fails() -> None:
    ledger = MemoryLedger(1)
    last = Lease(0, 3, 3, "a")
    ledger.claim(last)
    give_up(ledger, last, "out of memory", max_attempts=3)
    assert ledger.failed == {0: "its worker ended: out of memory"}
