"""Thousands of simulated worker-hours: no unit is lost, none is published twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.cluster_simulation import Faults, Outcome, Simulation, Size, simulate
from quest22.cluster.layout import data_name
from quest22.cluster.procedure import Policy
from quest22.cluster.store_ledger import StoreLedger
from tests.cluster.memory_store import MemoryStore
from tests.cluster.test_ledgers import outputs

PATIENT = Policy(max_attempts=12)
"""For faults that are so frequent that three attempts at a unit may fail."""


def check(outcome: Outcome) -> None:
    assert (outcome.lost, outcome.doubled, outcome.stuck) == ([], [], 0)
    assert outcome.failed <= outcome.condemned


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_or_doubled(seed: int) -> None:
    check(simulate(Size(20, 300), Faults().times(20), seed, PATIENT))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_or_doubled_in_an_object_store(seed: int) -> None:
    store = MemoryStore(seed, refused=0.02, unanswered=0.02)
    ledger = StoreLedger(store, 510, outputs())
    outcome = Simulation(Size(10, 510), Faults().times(10), seed, ledger, PATIENT).run()
    calm = StoreLedger(store.calm(), 510, outputs())
    states = {unit: each for n in (0, 1) for unit, each in calm.states(n).items()}
    for unit, output in outcome.accepted.items():
        assert store.objects[data_name(unit, "jsonl")].content == str(output).encode()
    for unit, each in states.items():  # also of workers that died before they were answered
        if each.counts is not None and data_name(unit, "jsonl") in store.objects:
            outcome.accepted.setdefault(unit, Path())
    outcome.failed = frozenset(unit for unit, each in states.items() if each.counts is None)
    check(outcome)
    assert not [name for name in store.changed if name.startswith("data/")]


def test_units_that_always_fail_do_not_hold_up_the_others() -> None:
    faults = Faults(hopeless=0.02, deadly=0.02)
    outcome = simulate(Size(20, 300), faults, 1)
    check(outcome)
    assert outcome.condemned
    assert outcome.failed == outcome.condemned


def test_workers_are_busy_until_the_last_units() -> None:
    outcome = simulate(Size(100, 5000), Faults(), 0)
    check(outcome)
    assert outcome.utilisation > 0.985  # of few units a worker; 0.994 of many


def test_without_faults_each_unit_is_transcribed_once() -> None:
    outcome = simulate(Size(2, 40), Faults(*(0.0 for _ in fields(Faults))), 0)
    check(outcome)
    assert outcome.requests["Commit"] == 40


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (simulate(Size(10, 100), Faults().times(20), 7, PATIENT) for _ in range(2))
    assert first.accepted == second.accepted
    assert isinstance(first.requests, Counter)
    assert first.requests == second.requests


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 100, 10))
def test_hundreds_of_seeds(first: int) -> None:
    for seed in range(first, first + 10):
        check(simulate(Size(40, 400), Faults().times(10), 1000 + seed, PATIENT))
