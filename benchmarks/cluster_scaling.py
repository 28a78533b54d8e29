"""What a second worker brings: one worker with one thread, then two, over the same plan.

python -m benchmarks.cluster_scaling FOLDER --model base --unit 10s --rounds 5

FOLDER is a dataset, such as a folder of recordings. Workers are processes that run the code of
``quest22 work``; time counts from when all have loaded the model until the last one ends. Both
cases take turns. Linear is 1.00: twice the units in the same time, each at the same cost.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from quest22.cluster.open_store import open_store
from quest22.cluster.plan import ClusterPlan, make_plan, write_plan
from quest22.cluster.work import open_worker
from quest22.runs.settings import RunSettings
from quest22.settings import DatasetSettings, EngineSettings, PipelineSettings
from quest22.settings.cluster import ClusterPlanSettings
from quest22.settings.quantities import parse_duration_s

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

THREADS = 1
WORKERS = (1, 2)


class Worked(NamedTuple):
    """What a worker did: when, by the machine's clock, for which processor time, how many units."""

    began_s: float
    ended_s: float
    cpu_s: float
    units: int


class Round(NamedTuple):
    """What one plan took: seconds until the last worker ended, and processor seconds of all."""

    wall_s: float
    cpu_s: float


def plan_of(dataset: str, model: str, unit_s: float) -> ClusterPlan:
    """The plan that all rounds do."""
    pipeline = PipelineSettings(EngineSettings(model, threads=THREADS))
    cluster = ClusterPlanSettings("unused", unit_s)
    return make_plan(RunSettings(DatasetSettings(dataset), pipeline, ("jsonl",)), cluster)


def _work(store: str, loaded: Barrier, told: Queue[Worked]) -> None:
    with open_worker(open_store(store), EngineSettings(threads=THREADS)) as worker:
        loaded.wait()
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        summary = worker.run()
        cpu_s = time.process_time() - began_cpu_s
        told.put(Worked(began_s, time.monotonic(), cpu_s, summary.units))


def run(plan: ClusterPlan, workers: int) -> Round:
    """Let so many workers do the plan, in a store of its own."""
    context = multiprocessing.get_context("spawn")
    told: Queue[Worked] = context.Queue()
    loaded = context.Barrier(workers)
    with tempfile.TemporaryDirectory(prefix="quest22-scaling-") as store:
        write_plan(plan, open_store(store))
        started = [
            context.Process(target=_work, args=(store, loaded, told)) for _ in range(workers)
        ]
        for each in started:
            each.start()
        worked = [told.get() for _ in started]
        for each in started:
            each.join()
        published = len(list(Path(store, "data").rglob("*.jsonl")))
    if published != len(plan.units):
        raise RuntimeError(f"{published} units were published, and {len(plan.units)} were planned")
    wall_s = max(each.ended_s for each in worked) - min(each.began_s for each in worked)
    return Round(wall_s, sum(each.cpu_s for each in worked))


def main() -> int:
    """Measure what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster_scaling")
    parser.add_argument("dataset")
    parser.add_argument("--model", default="base")
    parser.add_argument(
        "--unit", type=parse_duration_s, default=10.0, help="sound in a unit, such as 10s"
    )
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    plan = plan_of(given.dataset, given.model, given.unit)
    print(f"{given.model} over {len(plan.units)} units, {plan.run['model']['compute_type']}")
    walls: list[float] = []
    cpus: list[float] = []
    for number in range(given.rounds):
        order = WORKERS if number % 2 == 0 else WORKERS[::-1]
        rounds = {workers: run(plan, workers) for workers in order}
        one, two = rounds[1], rounds[2]
        walls.append(one.wall_s / two.wall_s / 2)
        cpus.append(one.cpu_s / two.cpu_s)
        print(
            f"round {number + 1}: one worker {one.wall_s:.1f} s ({one.cpu_s:.1f} s of processor "
            f"time), two {two.wall_s:.1f} s ({two.cpu_s:.1f} s): {walls[-1]:.3f} of linear, units "
            f"a processor-second {cpus[-1]:.3f}"
        )
    print(f"median: {median(walls):.3f} of linear, units a processor-second {median(cpus):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
