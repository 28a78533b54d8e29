"""Which units are published in a store, and since which round: what a committer has to upload."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

from quest22.cluster.ledger import all_ended
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.plan import ClusterPlan
from quest22.cluster.retry_round import Round, rounds
from quest22.cluster.status import ledger_states
from quest22.cluster.work import ledger_of


@dataclass(frozen=True, slots=True)
class Progress:
    """``rounds``: each published unit, and the last round that published it (0: the first one).

    ``pending``: units that the first round or the last one has still to do. ``failed`` counts those
    that failed for good and have no rows.
    """

    rounds: dict[int, int] = field(default_factory=dict)
    pending: Set[int] = frozenset()
    failed: int = 0
    transcripts: int = 0
    round: int = 0


def progress_of(plan: ClusterPlan, store: ObjectStore) -> Progress:
    """What the names in a store say; see :mod:`quest22.cluster.layout`."""
    later = rounds(store)
    published: dict[int, int] = {}
    transcripts: dict[int, int] = {}
    failed: set[int] = set()
    ended: set[int] = set()
    for each in (Round(0, tuple(range(len(plan.units)))), *later):
        ended.clear()
        for at, state in ledger_states(ledger_of(plan, store, each.number, each.units)):
            unit = each.units[at]
            if state.counts is not None:
                published[unit] = each.number
                transcripts[unit] = state.counts.transcripts
            elif state.failed:
                failed.add(unit)
            if state.ended:
                ended.add(unit)
        pending = set(each.units) - ended
    return Progress(
        published,
        pending,
        len(failed - published.keys()),
        sum(transcripts.values()),
        len(later),
    )


def is_over(plan: ClusterPlan, store: ObjectStore) -> bool:
    """Whether all units have ended, in the last round, as far as its index says: few requests."""
    later = rounds(store)
    if not later:
        return all_ended(ledger_of(plan, store))
    return all_ended(ledger_of(plan, store, later[-1].number, later[-1].units))
