"""Three Ray nodes on this machine, a corpus, and what one worker alone makes of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quest22.cli.main import main
from quest22.env import confine_ray
from tests.torture.real import SAMPLES

confine_ray()  # before anything imports Ray, which then binds to loopback and says nothing home

NODE_BYTES = 80_000_000
"""Shared memory of a node, about the least that Ray takes."""

PATIENCE_S = 600.0
"""A run takes ten seconds, or minutes on a machine that does much else."""


@dataclass(frozen=True)
class Corpus:
    """Rows of speech, how they are planned, and the files that one worker makes of them."""

    arguments: tuple[str, ...]
    files: dict[str, bytes]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    rows = pa.concat_tables([pq.read_table(path) for path in sorted(SAMPLES.glob("*.parquet"))])
    for part in range(2):
        pq.write_table(rows.slice(16 * part, 16), folder / f"part-{part}.parquet", row_group_size=2)
    arguments = ("parquet", "--data-files", f"{folder}/*.parquet", "-m", "nano", "--unit", "5s")
    alone = tmp_path_factory.mktemp("alone")
    assert main(["plan", *arguments, "--store", str(alone)]) == 0
    assert main(["work", str(alone)]) == 0
    return Corpus(arguments, published(alone))


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """This process is connected to a cluster of its own."""
    pytest.importorskip("ray")
    from quest22.cluster.ray.session import connect

    with connect("local", 2):
        yield


class ThreeNodes:
    """A cluster of which nodes can be killed; ``ray.cluster_utils`` runs them as processes."""

    def __init__(self) -> None:
        self.client_port = free_port()
        self._begin()

    def _begin(self, tries: int = 3) -> None:
        """Ray waits for half a minute, which may not be enough on a machine that does much else."""
        from ray.cluster_utils import Cluster

        self.cluster = Cluster()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)  # of Ray's client server
                self.add(ray_client_server_port=self.client_port)
                for _ in range(2):
                    self.add()
        except Exception:
            self.cluster.shutdown()
            if tries <= 1:
                raise
            self._begin(tries - 1)

    def add(self, **options: object) -> object:
        return self.cluster.add_node(
            num_cpus=1, object_store_memory=NODE_BYTES, include_dashboard=False, **options
        )

    def kill_one(self) -> None:
        """Kill a node that is not the driver's, with all of its processes."""
        node = next(iter(self.cluster.worker_nodes))
        self.cluster.remove_node(node, allow_graceful=False)

    def drain_one(self) -> None:
        """Give notice that a node will be gone in a minute, as providers of spot machines do."""
        from ray._raylet import GcsClient
        from ray.core.generated import autoscaler_pb2

        node = next(iter(self.cluster.worker_nodes))
        accepted, reason = GcsClient(address=self.cluster.address).drain_node(
            node.node_id,
            autoscaler_pb2.DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION,
            "spot notice",
            int((time.time() + 60) * 1000),
        )
        assert accepted, reason
        self.cluster.worker_nodes.remove(node)


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[ThreeNodes]:
    pytest.importorskip("ray")
    nodes = ThreeNodes()
    yield nodes
    nodes.cluster.shutdown()


class Driver:
    """``quest22 stream … --cluster`` in a process of its own."""

    def __init__(
        self, corpus: Corpus, out: Path, address: str, *options: str, cluster: str = "auto"
    ) -> None:
        self.out = out
        path = os.pathsep.join(filter(None, sys.path))
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "quest22", "stream", *corpus.arguments, "-o", str(out)),
                *("--cluster", cluster, "--worker-cpus", "1", "--lease", "10s", *options),
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "RAY_ADDRESS": address},
        )

    def wait_for_units(self, count: int, within_s: float = PATIENCE_S) -> None:
        """Until so many units are published."""
        wait_until(lambda: len(published(self.out)) >= count or self.has_ended, within_s)
        assert not self.has_ended, "it was done before it could be disturbed"

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def ended(self, within_s: float = PATIENCE_S) -> tuple[int, str]:
        """Its exit code, and what it said."""
        _, told = self.process.communicate(timeout=within_s)
        return self.process.returncode, told

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def drive(corpus: Corpus, three_nodes: ThreeNodes) -> Iterator[Callable[..., Driver]]:
    """Starts the command on the three nodes."""
    started: list[Driver] = []

    def start(out: Path, *options: str, cluster: str = "auto") -> Driver:
        address = three_nodes.cluster.address
        started.append(Driver(corpus, out, address, *options, cluster=cluster))
        return started[-1]

    yield start
    for driver in started:
        if not driver.has_ended:
            driver.kill()


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def published(store: Path) -> dict[str, bytes]:
    """The published files of a store."""
    return {path.name: path.read_bytes() for path in store.glob("data/*/part-*")}


def attempts(store: Path) -> int:
    """How often a unit was begun and not given back, over all units."""
    names = [path.name for path in store.glob(".quest22/round-0/units/*/*")]
    leases = sum(name.partition(".")[2].lstrip("e").isdigit() for name in names)
    return leases - sum(name.endswith(".released") for name in names)


def pids_of(title: str) -> list[int]:
    """Processes of Ray whose title begins so: ``ray::WorkerActor``."""
    return [pid for pid, shown in titles() if shown.startswith(title)]


def titles() -> Iterator[tuple[int, str]]:
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            yield int(path.name), (path / "cmdline").read_text(errors="replace")


def wait_until(is_so: Callable[[], bool], within_s: float) -> None:
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.1)
