"""Does the failures of all workers again: ``quest22 retry STORE``, by any number of workers.

Only rows that failed are transcribed; those that succeed take their place in their unit's file,
which is replaced by whoever has seen its newest version.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from quest22.cluster.object_store import ObjectStore
from quest22.cluster.plan import ClusterPlan, read_plan
from quest22.cluster.procedure import Policy
from quest22.cluster.retry_round import Round, begin_round, rounds
from quest22.cluster.status import unfinished, unit_states
from quest22.cluster.unit_file import ERROR, UnitFile, read_rows
from quest22.cluster.units import Unit
from quest22.cluster.work import ClusterWorker, Look, UnitDone, ledger_of
from quest22.errors import UsageError
from quest22.runs.context import RunContext
from quest22.settings import EngineSettings
from quest22.settings.cluster import ClusterWorkSettings


class RetryWorker(ClusterWorker):
    """A worker of a later round. Its summary counts all rows of the units that it went through."""

    def __init__(
        self,
        store: ObjectStore,
        each: Round,
        engine: EngineSettings | None,
        context: RunContext | None,
        policy: Policy,
        on_unit: UnitDone,
    ) -> None:
        self._store, self._round = store, each
        plan = read_plan(store)
        ledger = ledger_of(plan, store, each.number, each.units)
        super().__init__(plan, ledger, engine, context, policy, on_unit)

    def _fill(self, file: UnitFile, number: int, look: Look) -> Hashable:
        unit = self._plan.units[self._round.units[number]]
        published = self._store.read(self._plan.output_name(unit.number))
        if published is None:
            self._fill_whole(file, unit, look)
            return None
        rows = list(read_rows(published.content, self._plan.format))
        if _may_lack_rows(unit, rows):
            self._fill_whole(file, unit, look)
        else:
            self._fill_again(file, unit, rows, look)
        return published.version

    def _fill_again(
        self, file: UnitFile, unit: Unit, rows: list[dict[str, Any]], look: Look
    ) -> None:
        """The rows of a file, with new results where they failed."""
        keys = {row["origin"]["row"]: row["id"] for row in rows if row.get(ERROR) is not None}
        clips = self._source.between(unit.part, unit.start, unit.stop, keys) if keys else iter(())
        results: Iterator[Any] = iter(self._results(clips, look) if keys else ())
        again = {result.origin.row: result for result in results}
        for row in rows:
            result = again.get(row["origin"]["row"]) if row.get(ERROR) is not None else None
            if result is None:
                file.add_row(row)
            else:
                file.add(result)


def _may_lack_rows(unit: Unit, rows: list[dict[str, Any]]) -> bool:
    """Whether a unit's last row may stand for more that could not be read."""
    if unit.stop is not None:
        return len(rows) < unit.stop - unit.start
    return not rows or rows[-1].get(ERROR) is not None


def open_retry(
    store: ObjectStore,
    engine: EngineSettings | None = None,
    settings: ClusterWorkSettings | None = None,
    context: RunContext | None = None,
    on_unit: UnitDone = lambda lease, counts: None,
) -> RetryWorker | None:
    """A worker of the round that is open, or of a new one; None if nothing has failed.

    Raises :class:`UsageError` while units are left that were never done.
    """
    settings = settings or ClusterWorkSettings()
    each = _round_to_do(read_plan(store), store)
    if each is None:
        return None
    policy = Policy(settings.lease_s, settings.max_attempts)
    return RetryWorker(store, each, engine, context, policy, on_unit)


def _round_to_do(plan: ClusterPlan, store: ObjectStore) -> Round | None:
    left = unfinished(plan, store)
    if left:
        raise UsageError(
            f"{left:,} units of {store.shown} are not done: finish them first with quest22 work "
            f"{store.shown}, then retry the failures"
        )
    later = rounds(store)
    if later and unfinished(plan, store, later[-1]):
        return later[-1]
    failed = [
        unit
        for unit, state in unit_states(plan, store, later)
        if state.counts is None or state.counts.failures
    ]
    return begin_round(store, len(later) + 1, failed) if failed else None
