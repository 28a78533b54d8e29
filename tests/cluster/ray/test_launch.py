"""What workers take of machines, and what a run does for those that died."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quest22.cluster.ledger import Lease, Ledger
from quest22.cluster.memory_ledger import MemoryLedger

pytest.importorskip("ray")

from quest22.cluster.pool_size import PoolLimits
from quest22.cluster.ray.launch import give_up, pool_of
from quest22.cluster.ray.session import Node
from quest22.cluster.ray.worker_actor import WorkerResources
from quest22.settings import EngineSettings
from quest22.settings.cluster import ClusterRunSettings

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


HEAD, SMALL, LARGE, GPUS = (
    Node("h", "10.0.0.1", 0),
    Node("s", "10.0.0.2", 4),
    Node("l", "10.0.0.3", 64),
    Node("g", "10.0.0.4", 16, 4),
)


@pytest.mark.parametrize(
    ("workers", "worker_cpus", "nodes", "cpus", "limits"),
    [
        (None, None, [HEAD, SMALL], 4, (1, 1)),
        (None, None, [HEAD, LARGE], 8, (8, 8)),
        (None, None, [SMALL, LARGE], 4, (17, 17)),
        (None, 2, [SMALL, LARGE], 2, (34, 34)),
        (None, 100, [SMALL, LARGE], 100, (1, 1)),  # the autoscaler may bring a machine for it
        ((4, 4), None, [SMALL], 1, (4, 4)),
        ((1, 2), None, [SMALL], 2, (1, 2)),
        ((2, 16), None, [LARGE], 4, (2, 16)),
        ((2, 16), None, [HEAD], 1, (2, 16)),
        ((2, 16), 3, [HEAD], 3, (2, 16)),
    ],
)
def test_what_workers_take(
    workers: tuple[int, int] | None,
    worker_cpus: int | None,
    nodes: list[Node],
    cpus: int,
    limits: tuple[int, int],
) -> None:
    run = ClusterRunSettings("auto", workers, worker_cpus)
    assert pool_of(run, EngineSettings(), nodes) == (WorkerResources(cpus), PoolLimits(*limits))


def test_each_worker_has_a_gpu_if_it_is_to_run_on_one() -> None:
    run, engine = ClusterRunSettings("auto"), EngineSettings(device="cuda")
    resources, limits = pool_of(run, engine, [LARGE, GPUS])
    assert resources.options() == {"num_cpus": 8, "num_gpus": 1}
    assert limits == PoolLimits(2, 2)
    assert WorkerResources(4).options() == {"num_cpus": 4}
