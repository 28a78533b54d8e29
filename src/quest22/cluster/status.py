"""How far the workers of a cluster are, from the names in their store. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from quest22.cluster.ledger import num_shards
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.plan import ClusterPlan, read_plan
from quest22.cluster.progress import Totals, shard_states
from quest22.cluster.retry_round import Round, rounds
from quest22.cluster.store_ledger import StoreLedger, UnitState
from quest22.cluster.work import ledger_of
from quest22.runs.plan import flat_plan

REASONS = 10
"""Failed units whose reasons are read."""

ClusterState: TypeAlias = Literal["not begun", "in progress", "finished"]


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """The state of a plan. Each unit is published, failed, leased or free."""

    store: str
    state: ClusterState
    units: int
    published: int
    failed: int
    leased: int
    free: int
    transcripts: Annotated[int, "Rows of published units that were transcribed."]
    failures: Annotated[int, "Rows of published units that could not be transcribed."]
    audio_hours: Annotated[float, "Hours of sound of the transcripts."]
    retry_round: Annotated[int, "How often failures were done again."]
    retrying: Annotated[int, "Units that are left of the last time."]
    reasons: Annotated[tuple[str, ...], "Why units failed: of the first ones."]
    plan: Annotated[
        Mapping[str, Any], "Settings that determine the results, by the names of their flags."
    ]


def cluster_status(store: ObjectStore) -> ClusterStatus:
    """The state of the plan in a store. Raises :class:`quest22.errors.UsageError` without one."""
    plan = read_plan(store)
    later = rounds(store)
    begun = Totals()
    reasons: list[str] = []
    for unit, state in unit_states(plan, store, later):
        begun = begun.plus(Totals.of_unit(state))
        if state.counts is None and state.failed and len(reasons) < REASONS:
            reasons.append(f"unit {unit}: {_reason(plan, store, later, unit)}")
    units = len(plan.units)
    free = units - begun.units
    retrying = _left(plan, store, later[-1]) if later else 0
    is_done = not (begun.left or free or retrying)
    return ClusterStatus(
        store=store.shown,
        state="not begun" if free == units else "finished" if is_done else "in progress",
        units=units,
        published=begun.published,
        failed=begun.failed,
        leased=begun.left,
        free=free,
        transcripts=begun.transcripts,
        failures=begun.failures,
        audio_hours=round(begun.audio_s / 3600, 6),
        retry_round=len(later),
        retrying=retrying,
        reasons=tuple(reasons),
        plan=flat_plan(plan.run),
    )


def unit_states(
    plan: ClusterPlan, store: ObjectStore, later: list[Round]
) -> Iterator[tuple[int, UnitState]]:
    """Each unit that was ever leased, in order: its state after the last round that did it.

    A unit that a later round could not do again is as it was.
    """
    newer: dict[int, UnitState] = {}
    for each in later:
        for at, state in ledger_states(ledger_of(plan, store, each.number, each.units)):
            if state.counts is not None:
                newer[each.units[at]] = state
    for unit, state in ledger_states(ledger_of(plan, store)):
        yield unit, newer.get(unit, state)


def published_names(store: ObjectStore) -> Iterator[str]:
    """The objects of all published units, in the order of the units, whoever made them."""
    plan = read_plan(store)
    for unit, state in unit_states(plan, store, rounds(store)):
        if state.counts is not None:
            yield plan.output_name(unit)


def unfinished(plan: ClusterPlan, store: ObjectStore, each: Round | None = None) -> int:
    """How many units of a round have not ended; None: of the first round."""
    if each is None:
        return len(plan.units) - _ended(ledger_of(plan, store))
    return _left(plan, store, each)


def _left(plan: ClusterPlan, store: ObjectStore, each: Round) -> int:
    return len(each.units) - _ended(ledger_of(plan, store, each.number, each.units))


def _ended(ledger: StoreLedger) -> int:
    return sum(state.ended for _, state in ledger_states(ledger))


def ledger_states(ledger: StoreLedger) -> Iterator[tuple[int, UnitState]]:
    """Each unit of a round that was ever leased, in order."""
    for states in shard_states(ledger, range(num_shards(ledger.units))):
        yield from states.items()


def _reason(plan: ClusterPlan, store: ObjectStore, later: list[Round], unit: int) -> str:
    """Why a unit failed, in the last round that says so."""
    for each in reversed(later):
        if unit in each.units:
            ledger = ledger_of(plan, store, each.number, each.units)
            reason = ledger.reason(each.units.index(unit))
            if reason:
                return reason
    return ledger_of(plan, store).reason(unit)
