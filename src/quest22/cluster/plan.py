"""A cluster's plan: what is transcribed, how, and in which units. Written once into its store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from quest22.cluster.layout import PLAN, data_name
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.units import MAX_UNITS, PlannedFile, Units, divide
from quest22.errors import SourceError, UsageError
from quest22.metrics import Metrics
from quest22.runs.context import Load, RunContext
from quest22.runs.events import OnEvent, ignore_event
from quest22.runs.plan import plan_differences, settings_from_plan, whole_plan, with_places
from quest22.runs.settings import RunSettings
from quest22.runtime.build import Pipeline, dataset_source, network_client, with_model
from quest22.settings import EngineSettings
from quest22.settings.cluster import ClusterPlanSettings
from quest22.source.dataset import DatasetSource
from quest22.source.io.address import redact

FORMAT = 1

READERS = 8
"""Data files whose divisions are read at the same time."""


@dataclass(frozen=True)
class ClusterPlan:
    """``run`` is the plan of a run (:mod:`quest22.runs.plan`), of which workers do the units."""

    run: Mapping[str, Any]
    batch_size: int
    format: str
    units: Units

    def output_name(self, unit: int) -> str:
        """The object that a unit is published as."""
        return data_name(unit, self.format)

    def settings(self, engine: EngineSettings) -> RunSettings:
        """The settings of the plan; ``engine`` has those that do not affect results."""
        return settings_from_plan(self.run, engine)

    def to_bytes(self) -> bytes:
        """The same bytes for the same plan, so that plans are compared by their bytes."""
        record = {
            "quest22_cluster_plan": FORMAT,
            "run": self.run,
            "batch_size": self.batch_size,
            "format": self.format,
            "files": [[file.name, file.rows, file.starts] for file in self.units.files],
        }
        return json.dumps(record, ensure_ascii=False, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> ClusterPlan:
        """Raises ValueError, KeyError or TypeError for what is no plan of this version."""
        record = json.loads(content)
        if record["quest22_cluster_plan"] != FORMAT:
            raise ValueError(f"format {record['quest22_cluster_plan']}")
        files = [PlannedFile(name, tuple(starts), rows) for name, rows, starts in record["files"]]
        plan = cls(record["run"], record["batch_size"], record["format"], Units(tuple(files)))
        if len(plan.units) > MAX_UNITS:
            raise ValueError(f"{len(plan.units)} units")
        return plan


def make_plan(
    settings: RunSettings,
    cluster: ClusterPlanSettings,
    load: Load = Pipeline,
    on_event: OnEvent = ignore_event,
) -> ClusterPlan:
    """Open the dataset and the model, and divide the former.

    Commits, weights, the engine and the compute type are resolved now, so that all workers use the
    same.
    Raises :class:`quest22.errors.Quest22Error`.
    """
    _check(settings)
    metrics = Metrics()
    _, pipeline_settings = with_model(settings.pipeline)
    source = dataset_source(settings.dataset, network_client(pipeline_settings, metrics))
    units = Units(tuple(_divided(source, cluster.unit_s)))
    if not 0 < len(units) <= MAX_UNITS:
        raise UsageError(
            f"the dataset would be {len(units):,} units of work: expected 1 to {MAX_UNITS:,}; "
            "choose another --unit"
        )
    with RunContext(on_event, load, metrics=metrics) as context:
        pipeline = context.pipeline(pipeline_settings)
        run = whole_plan(settings, pipeline, source.revision)
        run["model"]["name"] = pipeline_settings.engine.model
        return ClusterPlan(
            json.loads(json.dumps(with_places(run, settings.working_folder))),
            pipeline.batch_size,
            cluster.format,
            units,
        )


def _check(settings: RunSettings) -> None:
    """Refuse what units of work cannot do. Raises :class:`UsageError`."""
    dataset = settings.dataset
    counted = dataset.skip or dataset.take is not None
    for is_given, flag in (
        (counted, "--skip and --take count rows of all files"),
        (dataset.shuffle, "--shuffle orders rows"),
        (dataset.num_shards > 1, "--num-shards divides rows"),
    ):
        if is_given:
            raise UsageError(
                f"{flag}, but workers take units in any order: leave it out, or name data files "
                "with --data-files"
            )
    if settings.pipeline.engine.devices:
        raise UsageError(
            "--devices are those of one machine, and each worker runs on one: leave it out, and "
            "start as many workers as there are devices"
        )
    for address in (dataset.path, *dataset.data_files):
        if redact(address) != address:
            raise UsageError(
                f"{redact(address)} has a query or a password, which a plan does not keep: give an "
                "address that works without, or let workers have the right to read it"
            )


def _divided(source: DatasetSource, unit_s: float) -> list[PlannedFile]:
    def divided(part: int) -> PlannedFile:
        return divide(source.files[part], source.blocks(part), unit_s)

    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(divided, range(len(source.files))))


def write_plan(plan: ClusterPlan, store: ObjectStore) -> bool:
    """Write a plan into its store; False if it is there already.

    Raises :class:`UsageError` if the store has another one.
    """
    content = plan.to_bytes()
    if store.create(PLAN, content):
        return True
    stored = store.read(PLAN)
    if stored is not None and stored.content == content:
        return False
    differences = _differences(plan, read_plan(store))
    if not differences:  # an earlier version wrote it, which told less
        return False
    raise UsageError(
        f"{store.shown} holds another plan ({'; '.join(differences)}): choose another --store"
    )


def _differences(plan: ClusterPlan, earlier: ClusterPlan) -> list[str]:
    differences = plan_differences(earlier.run, plan.run, whole=True)
    if earlier.units != plan.units:
        differences.append(f"it had {len(earlier.units):,} units and has {len(plan.units):,}")
    if (earlier.format, earlier.batch_size) != (plan.format, plan.batch_size):
        differences.append(
            f"{earlier.format} in batches of {earlier.batch_size} is now {plan.format} in batches "
            f"of {plan.batch_size}"
        )
    return differences


def read_plan(store: ObjectStore) -> ClusterPlan:
    """The plan in a store. Raises :class:`UsageError` if there is none that can be read."""
    stored = store.read(PLAN)
    if stored is None:
        raise UsageError(
            f"no plan in {store.shown}: make one with quest22 plan DATASET --store {store.shown}"
        )
    try:
        return ClusterPlan.from_bytes(stored.content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise UsageError(
            f"{store.shown}/{PLAN} cannot be read by this version of quest22 ({exc}): use the "
            "version that made it, or choose another --store"
        ) from exc


def check_files(plan: ClusterPlan, files: Sequence[str | None]) -> None:
    """Raise :class:`SourceError` if a dataset's files are not those that were planned."""
    planned = [file.name for file in plan.units.files]
    if list(files) == planned:
        return
    other = next((name for name in files if name not in set(planned)), None)
    gone = next((name for name in planned if name not in set(files)), None)
    found = f"{other} is new" if other else f"{gone} is gone" if gone else "their order is another"
    raise SourceError(
        f"the dataset has changed since it was planned ({found}): put it back as it was, or make a "
        "plan in another --store"
    )


def local_engine(plan: ClusterPlan, given: EngineSettings) -> EngineSettings:
    """Engine settings of this machine, with the batch size of the plan unless one is given.

    In reduced precisions, last digits may depend on it.
    """
    return replace(given, batch_size=given.batch_size or plan.batch_size)
