"""A ledger in an actor: promises what every ledger does, and survives its own death."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quest22.cluster.folder_store import FolderStore
from quest22.cluster.ledger import Claim, Ledger, LedgerUnavailableError
from quest22.cluster.plan import ClusterPlan, write_plan
from quest22.cluster.units import PlannedFile, Units
from quest22.errors import SinkError
from tests.cluster.ray.conftest import pids_of, wait_until
from tests.cluster.test_ledgers import (  # the same tests, with the fixture `make` of this module
    Make,
    attempt,
    lease,
    test_a_final_failure_ends_a_unit_until_it_is_published,
    test_a_renewal_changes_the_version,
    test_a_unit_is_published_once,
    test_an_epoch_belongs_to_one_worker,
    test_the_index,
    test_units_of_other_shards_are_not_seen,
    test_what_is_given_up_may_be_claimed_at_once,
)

__all__ = [
    "attempt",
    "test_a_final_failure_ends_a_unit_until_it_is_published",
    "test_a_renewal_changes_the_version",
    "test_a_unit_is_published_once",
    "test_an_epoch_belongs_to_one_worker",
    "test_the_index",
    "test_units_of_other_shards_are_not_seen",
    "test_what_is_given_up_may_be_claimed_at_once",
]

pytestmark = pytest.mark.slow


@pytest.fixture
def make(local_ray: None, tmp_path: Path) -> Iterator[Make]:
    import ray

    from quest22.cluster.ray.ledger_actor import ActorLedger, LedgerActor

    actors: list[Any] = []

    def made(units: int) -> Ledger:
        files = (PlannedFile("a", tuple(range(units)), units),)
        plan = ClusterPlan({"dataset": {}, "model": {}}, 4, "jsonl", Units(files))
        write_plan(plan, FolderStore(tmp_path))
        actors.append(ray.remote(num_cpus=0, max_restarts=-1)(LedgerActor).remote(str(tmp_path)))
        return ActorLedger(actors[-1], units)

    yield made
    for actor in actors:
        ray.kill(actor)


def test_it_goes_on_after_it_was_killed(make: Make) -> None:
    ledger = make(2)
    assert ledger.claim(lease(0)) is Claim.WON
    (pid,) = pids_of("ray::LedgerActor")
    os.kill(pid, signal.SIGKILL)
    refused = 0

    def answers() -> bool:
        nonlocal refused
        try:
            return ledger.claim(lease(0, worker="b")) is Claim.LOST
        except LedgerUnavailableError:
            refused += 1
            return False

    wait_until(answers, 120)
    assert refused
    assert list(ledger.view(0).free) == [1]


def test_an_error_of_its_folder_arrives_as_it_is(make: Make, tmp_path: Path) -> None:
    ledger = make(2)
    assert ledger.claim(lease(0)) is Claim.WON
    units = tmp_path / ".quest22" / "round-0" / "units"
    (units / "0000").rename(units / "away")
    (units / "0000").write_text("no folder")
    with pytest.raises((SinkError, LedgerUnavailableError), match="0000"):
        ledger.claim(lease(1))
