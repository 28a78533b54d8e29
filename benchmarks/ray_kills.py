"""``python -m benchmarks.ray_kills``: quest22 and Ray Data on a Ray cluster, under the same kills.

Both transcribe the same rows with nano, on a cluster of a head and two nodes, all processes of this
machine. When a third of the rows are written, a node with a worker is killed, or the command, which
is then given again. Counted from the outputs: rows that are missing, and rows that are there twice.
Rows that were transcribed again: for Ray Data from a log of each call of the model; for quest22 the
rows of units that were begun once more, which is the most that it can be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from quest22.cluster.folder_store import FolderStore
from quest22.cluster.plan import read_plan
from quest22.env import confine_ray

SAMPLES = Path(__file__).parents[1] / "src" / "quest22" / "demo" / "samples"
NODE_BYTES = 100_000_000
BLOCK_ROWS = 4
WITHIN_S = 900.0


@dataclass(frozen=True)
class Work:
    """Where the rows are, and where results go."""

    folder: Path
    rows: int

    @property
    def files(self) -> list[str]:
        return sorted(str(path) for path in (self.folder / "data").glob("*.parquet"))


@dataclass(frozen=True)
class Way:
    """A program: its command into a folder, what it has written there, and rows done again.

    ``worker``: how the processes that transcribe are titled.
    """

    name: str
    worker: str
    command: Callable[[Work, Path], list[str]]
    written: Callable[[Path], Counter[str]]
    again: Callable[[Path], int]

    def is_tried(self, victim: str) -> bool:
        """Whether it makes a difference: a folder is overwritten by another command alone."""
        return victim != "a node" or "overwriting" not in self.name


def write_rows(folder: Path, files: int) -> int:
    """Copies of the embedded samples with ids of their own; how many."""
    (folder / "data").mkdir(parents=True)
    rows = pa.concat_tables([pq.read_table(path) for path in sorted(SAMPLES.glob("*.parquet"))])
    for number in range(files):
        ids = pa.array([f"{number}-{at:03}" for at in range(rows.num_rows)])
        named = rows.set_column(rows.schema.get_field_index("id"), "id", ids)
        path = folder / "data" / f"part-{number}.parquet"
        pq.write_table(named, path, row_group_size=BLOCK_ROWS)
    return files * int(rows.num_rows)


def quest22_command(work: Work, out: Path) -> list[str]:
    """The command on the cluster of ``RAY_ADDRESS``; units of about a block."""
    return [
        *(sys.executable, "-m", "quest22", "stream", "parquet", "-m", "nano", "--quiet"),
        *("--data-files", f"{work.folder}/data/*.parquet", "-o", str(out)),
        *("--cluster", "auto", "--cluster-workers", "2", "--worker-cpus", "1"),
        *("--unit", "20s", "--lease", "10s"),
    ]


def quest22_written(out: Path) -> Counter[str]:
    """The rows of all published units."""
    return _ids(out.glob("data/*/part-*.jsonl"))


def quest22_again(out: Path) -> int:
    """The rows of units that were begun again after a lease that was not given back."""
    names = [path.name for path in out.glob(".quest22/round-0/units/*/*")]
    epochs = Counter(int(name[:7]) for name in names if name.partition(".")[2][1:].isdigit())
    epochs.subtract(int(name[:7]) for name in names if name.endswith(".released"))
    units = read_plan(FolderStore(out)).units
    return sum(
        (times - 1) * ((units[unit].stop or 0) - units[unit].start)
        for unit, times in epochs.items()
        if times > 1
    )


def ray_data_command(options: tuple[str, ...]) -> Callable[[Work, Path], list[str]]:
    """This file as the pipeline."""

    def command(work: Work, out: Path) -> list[str]:
        here = (sys.executable, "-m", "benchmarks.ray_kills", "--pipeline", str(out))
        return [*here, *options, "--data", *work.files]

    return command


def ray_data_written(out: Path) -> Counter[str]:
    """The rows of all files."""
    return _ids(out.glob("rows/*.json"))


def ray_data_again(out: Path) -> int:
    """Calls of the model for a row beyond the first."""
    calls = Counter((out / "calls").read_text().split())
    return sum(calls.values()) - len(calls)


def _ids(paths: Iterator[Path]) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in paths:
        with suppress(ValueError):  # of a file that is being written, the lines before
            for line in path.read_text().splitlines():
                found[json.loads(line)["id"]] += 1
    return found


def run_pipeline(out: Path, data: list[str], mode: str, checkpoints: bool) -> None:
    """Ray Data's own way: read, transcribe in a pool of actors, write."""
    import ray
    from ray.data import ActorPoolStrategy, DataContext, SaveMode

    context = DataContext.get_current()
    context.enable_progress_bars = False
    out.mkdir(parents=True, exist_ok=True)
    if checkpoints:
        from ray.data.checkpoint import CheckpointConfig

        context.checkpoint_config = CheckpointConfig(
            id_column="id",
            checkpoint_path=str(out / "checkpoints"),
            delete_checkpoint_on_success=False,
        )
    ray.init(address="auto", log_to_driver=False, logging_level="error")
    rows = (
        ray.data.read_parquet(data)
        .select_columns(["id", "audio"])
        .repartition(target_num_rows_per_block=BLOCK_ROWS)
        .map_batches(
            _Transcribe,
            fn_constructor_args=(str(out / "calls"),),
            batch_size=BLOCK_ROWS,
            num_cpus=1,
            compute=ActorPoolStrategy(size=2),
        )
    )
    rows.write_json(str(out / "rows"), mode=SaveMode(mode))


class _Transcribe:
    """The model in an actor of Ray Data; notes each row that it is given."""

    def __init__(self, calls: str) -> None:
        from quest22 import Transcriber

        self._calls = calls
        self._whisper = Transcriber("nano", threads=1)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        with Path(self._calls).open("a") as file:
            file.write("".join(f"{each}\n" for each in batch["id"]))
        sounds = [each["bytes"] for each in batch["audio"]]
        texts = [each.text for each in self._whisper.transcribe_many(sounds)]
        return {"id": batch["id"], "text": texts}


@contextmanager
def nodes() -> Iterator[Any]:
    """A head without cores for workers, and two nodes with two each."""
    cluster = _begun()
    try:
        yield cluster
    finally:
        cluster.shutdown()


def _begun(tries: int = 5) -> Any:
    """On a busy machine, Ray's processes may take longer to start than Ray waits for them."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for cpus in (0, 2, 2):
            cluster.add_node(num_cpus=cpus, object_store_memory=NODE_BYTES, include_dashboard=False)
    except Exception:
        cluster.shutdown()
        if tries <= 1:
            raise
        return _begun(tries - 1)
    return cluster


def kill_node(cluster: Any, worker: str) -> None:
    """Kill a node on which a worker is."""
    for node in list(cluster.worker_nodes):
        raylet = node.all_processes["raylet"][0].process.pid
        if any(title.startswith(worker) for title in _children(raylet)):
            cluster.remove_node(node, allow_graceful=False)
            return
    raise SystemExit(f"no node has a process {worker}")


def _children(parent: int) -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if int((path / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                yield (path / "cmdline").read_text()


def measure(way: Way, victim: str, work: Work) -> str:
    """One line of the table."""
    out = work.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    with nodes() as cluster:
        environment = {**os.environ, "RAY_ADDRESS": cluster.address}
        command = way.command(work, out)
        with subprocess.Popen(command, env=environment) as process:  # noqa: S603
            until = time.monotonic() + WITHIN_S
            while sum(way.written(out).values()) < work.rows / 3:
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"{way.name} ended before a third was written")
                time.sleep(0.1)
            if victim == "a node":
                kill_node(cluster, way.worker)
            else:
                process.send_signal(signal.SIGKILL)
            code = process.wait(WITHIN_S)
        if victim == "the command":
            again = subprocess.run(command, env=environment, check=False)  # noqa: S603
            code = again.returncode
    written = way.written(out)
    lost = work.rows - len(written)
    doubled = sum(written.values()) - len(written)
    ended = "" if code == 0 else f" (exit code {code})"
    return f"| {victim} | {way.name}{ended} | {lost} | {doubled} | {way.again(out)} |"


WAYS = (
    Way("quest22", "ray::WorkerActor", quest22_command, quest22_written, quest22_again),
    *(
        Way(name, "ray::MapWorker", ray_data_command(options), ray_data_written, ray_data_again)
        for name, options in (
            ("Ray Data", ()),
            ("Ray Data, overwriting", ("--mode", "overwrite")),
            ("Ray Data, checkpoints", ("--checkpoints",)),
        )
    ),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_kills")
    parser.add_argument("--files", type=int, default=2, help="of 40 rows each")
    parser.add_argument("--only", help="the ways whose name contains this")
    parser.add_argument("--killed", default="", help="only: a node, the command")
    parser.add_argument("--pipeline", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--data", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--mode", default="append", help=argparse.SUPPRESS)
    parser.add_argument("--checkpoints", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    confine_ray()
    if given.pipeline is not None:
        run_pipeline(given.pipeline, given.data, given.mode, given.checkpoints)
        return
    with tempfile.TemporaryDirectory(prefix="quest22-kills-") as name:
        folder = Path(name)
        work = Work(folder, write_rows(folder, given.files))
        print(f"{work.rows} rows\n\n| killed | program | lost | doubled | again |")
        print("|---|---|---:|---:|---:|")
        for victim in (each for each in ("a node", "the command") if given.killed in each):
            for way in WAYS:
                if way.is_tried(victim) and (not given.only or given.only in way.name):
                    print(measure(way, victim, work), flush=True)


if __name__ == "__main__":
    main()
