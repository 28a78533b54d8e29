"""What a second worker brings: one worker with one thread, then two, over the same plan.

python -m benchmarks.cluster_scaling FOLDER --model base --unit 10s --rounds 5

FOLDER has recordings, which become Parquet with a row group for each. Workers are processes that
run the code of ``quest22 work``; time counts from when all have loaded the model until the last
unit is done. Both cases take turns. Linear is 1.00: twice the units in the same time, each at the
same cost. It needs an idle machine with a core for each worker.
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

from quest22.cluster.ledger import Counts, Lease
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

SUFFIXES = (".flac", ".wav", ".mp3", ".ogg")
THREADS = 1
START_S, PLAN_S = 600.0, 3600.0  # after so long a worker has failed
WORKERS = (1, 2)


class Worked(NamedTuple):
    """When a worker began and had each unit, by the machine's clock, and its processor time."""

    began_s: float
    done_s: dict[int, float]
    cpu_s: float


class Round(NamedTuple):
    """What one plan took: seconds until the last unit was done, and processor seconds of all."""

    wall_s: float
    cpu_s: float


def write_rows(recordings: Path, path: Path) -> None:
    """Write all recordings of a folder into a Parquet file, so that units are whole row groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = sorted(each for each in recordings.rglob("*") if each.suffix in SUFFIXES)
    sounds = [{"bytes": each.read_bytes(), "path": each.name} for each in names]
    pq.write_table(pa.table({"audio": sounds}), path, row_group_size=1)


def plan_of(rows: Path, model: str, unit_s: float) -> ClusterPlan:
    """The plan that all rounds do."""
    dataset = DatasetSettings("parquet", data_files=(str(rows),), audio_column="audio")
    pipeline = PipelineSettings(EngineSettings(model, threads=THREADS))
    cluster = ClusterPlanSettings("unused", unit_s)
    return make_plan(RunSettings(dataset, pipeline, ("jsonl",)), cluster)


def _work(store: str, loaded: Barrier, told: Queue[Worked]) -> None:
    done_s: dict[int, float] = {}

    def has_done(lease: Lease, counts: Counts) -> None:
        done_s[lease.unit] = time.monotonic()

    engine = EngineSettings(threads=THREADS)
    with open_worker(open_store(store), engine, on_unit=has_done) as worker:
        loaded.wait(START_S)
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        worker.run()
        told.put(Worked(began_s, done_s, time.process_time() - began_cpu_s))


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
        worked = [told.get(timeout=PLAN_S) for _ in started]
        for each in started:
            each.join()
        published = len(list(Path(store, "data").rglob("*.jsonl")))
    if published != len(plan.units):
        raise RuntimeError(f"{published} units were published, and {len(plan.units)} were planned")
    done_s: dict[int, float] = {}
    for one in worked:
        for unit, at_s in one.done_s.items():  # the first of those that did it
            done_s[unit] = min(at_s, done_s.get(unit, at_s))
    wall_s = max(done_s.values()) - min(each.began_s for each in worked)
    return Round(wall_s, sum(each.cpu_s for each in worked))


def main() -> int:
    """Measure what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster_scaling")
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--model", default="base")
    parser.add_argument(
        "--unit", type=parse_duration_s, default=10.0, help="sound in a unit, such as 10s"
    )
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quest22-scaling-") as folder:
        rows = Path(folder, "rows.parquet")
        write_rows(given.recordings, rows)
        compare(plan_of(rows, given.model, given.unit), given.model, given.rounds)
    return 0


def compare(plan: ClusterPlan, model: str, rounds: int) -> None:
    """Let one and two workers do the plan in turn, and print what each took."""
    print(f"{Path(model).name} over {len(plan.units)} units, {plan.run['model']['compute_type']}")
    walls: list[float] = []
    cpus: list[float] = []
    for number in range(rounds):
        order = WORKERS if number % 2 == 0 else WORKERS[::-1]
        took = {workers: run(plan, workers) for workers in order}
        one, two = took[1], took[2]
        walls.append(one.wall_s / two.wall_s / 2)
        cpus.append(one.cpu_s / two.cpu_s)
        print(
            f"round {number + 1}: one worker {one.wall_s:.1f} s ({one.cpu_s:.1f} s of processor "
            f"time), two {two.wall_s:.1f} s ({two.cpu_s:.1f} s): {walls[-1]:.3f} of linear, units "
            f"a processor-second {cpus[-1]:.3f}",
            flush=True,
        )
    print(f"median: {median(walls):.3f} of linear, units a processor-second {median(cpus):.3f}")


if __name__ == "__main__":
    sys.exit(main())
