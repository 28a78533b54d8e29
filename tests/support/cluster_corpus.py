"""A plan in a folder whose units are published by hand, and a dataset on the Hub's stand-in.

As a program, a committer in a process of its own, which may be killed:
``python -m tests.support.cluster_corpus FOLDER UNITS ENDPOINT LEASES``.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from huggingface_hub import HfApi

from quest22.cluster.folder_store import FolderStore
from quest22.cluster.hub import files as hub_files
from quest22.cluster.hub import push as hub_push
from quest22.cluster.hub.committer import Pace
from quest22.cluster.hub.lease import CommitterLease
from quest22.cluster.hub.push import Push, Schedule
from quest22.cluster.hub.target import PublishTarget
from quest22.cluster.ledger import Attempt, Counts, Lease, num_shards
from quest22.cluster.plan import ClusterPlan, write_plan
from quest22.cluster.retry_round import Round
from quest22.cluster.units import PlannedFile, Units
from quest22.cluster.work import ledger_of
from quest22.sink.hub.hub_repository import HubRepository, RetryPolicy
from quest22.system.retry import Backoff
from tests.support.hub import Hub

RUN = {
    "quest22": "1",
    "dataset": {"path": "speech", "revision": None, "split": "test"},
    "model": {"name": "nano"},
}
FIRST = Round(0, ())


def row(unit: int, number: int, **values: Any) -> dict[str, Any]:
    """A row of a unit's file."""
    return {
        "id": f"{unit}-{number}",
        "text": " red green",
        "reference": "red green blue",
        "language": "en",
        "language_probability": 1.0,
        "duration": 2.0,
        "segments": [],
        **values,
        "origin": {"dataset": "speech", "revision": None, "file": "a", "row": number},
    }


def failed_row(unit: int, number: int) -> dict[str, Any]:
    """A row that could not be transcribed."""
    whole = row(unit, number)
    return {"id": whole["id"], "error": "decode: no audio", "origin": whole["origin"]}


@dataclass
class Corpus:
    """A store with a plan of so many units, which a test publishes."""

    folder: Path
    units: int
    store: FolderStore = field(init=False)
    plan: ClusterPlan = field(init=False)

    def __post_init__(self) -> None:
        self.store = FolderStore(self.folder / "store")
        starts = tuple(range(0, 2 * self.units, 2))
        units = Units((PlannedFile("a", starts, 2 * self.units),))
        self.plan = ClusterPlan(RUN, 4, "jsonl", units)
        write_plan(self.plan, self.store)

    def publish(
        self, unit: int, *rows: dict[str, Any], each: Round = FIRST, text: str = " red green"
    ) -> None:
        """Publish a unit as a worker does; of a later round, in place of what is there."""
        numbers = each.units or tuple(range(self.units))
        ledger = ledger_of(self.plan, self.store, each.number, numbers)
        content = rows or tuple(row(unit, number, text=text) for number in range(2))
        path = self.folder / "unit.jsonl"
        path.write_text("".join(f"{json.dumps(values)}\n" for values in content))
        failed = sum("error" in values for values in content)
        counts = Counts(len(content) - failed, failed, 2.0 * (len(content) - failed))
        published = self.store.read(self.plan.output_name(unit)) if each.number else None
        version = None if published is None else published.version
        number = numbers.index(unit)
        assert ledger.commit(Lease(number, 1, 1, "w"), Attempt(path, counts, version))

    def fail(self, unit: int) -> None:
        """Let a unit fail for good."""
        ledger_of(self.plan, self.store).fail(Lease(unit, 1, 1, "w"), "broken", final=True)

    def close(self, each: Round = FIRST) -> None:
        """Record that all units have ended, as the last worker does."""
        numbers = each.units or tuple(range(self.units))
        ledger = ledger_of(self.plan, self.store, each.number, numbers)
        for shard in range(num_shards(len(numbers))):
            ledger.mark_closed(shard)


QUICK = RetryPolicy(5.0, Backoff(0.01, 0.05, (1.0, 1.25)))


def open_dataset(hub: Hub, name: str = "org/out") -> None:
    """An empty dataset on the stand-in, and a token that may write to it."""
    if ("dataset", name) not in hub.catalogue.repositories:
        hub.add_writer("hf_w", "ana", "org")
        hub.add_dataset(name, {".gitattributes": b""})


def pushing(
    corpus: Corpus,
    hub: Hub,
    name: str = "org/out",
    schedule: Schedule | None = None,
    retries: RetryPolicy = QUICK,
    pace: Pace | None = None,
) -> Push:
    """A committer of a corpus, on a dataset of the stand-in, whose commits may follow at once."""
    open_dataset(hub, name)
    return pushing_to(corpus, hub.endpoint, name, schedule, retries, pace)


def pushing_to(
    corpus: Corpus,
    endpoint: str,
    name: str = "org/out",
    schedule: Schedule | None = None,
    retries: RetryPolicy = QUICK,
    pace: Pace | None = None,
) -> Push:
    """The same, by the stand-in's address."""
    repository = HubRepository(HfApi(endpoint=endpoint, token="hf_w"), name, retries)
    target = PublishTarget(name, command="quest22 plan speech")
    return Push(corpus.store, target, repository, schedule, pace or Pace(apart_s=0.0))


def published_rows(hub: Hub, name: str = "org/out") -> dict[str, list[dict[str, Any]]]:
    """The rows on the Hub, by file."""
    files = hub.dataset(name).head()
    tables = sorted(path for path in files if path.endswith(".parquet"))
    return {path: pq.read_table(io.BytesIO(files[path])).to_pylist() for path in tables}


def published_ids(hub: Hub, name: str = "org/out") -> list[str]:
    """The keys of the rows on the Hub, in order."""
    return [values["id"] for rows in published_rows(hub, name).values() for values in rows]


def main() -> None:
    """Be a committer, with a lease in a store of its own: another one may think it has it too."""
    folder, units, endpoint, leases = sys.argv[1:]
    hub_files.FILE_UNITS, hub_push.BATCH_FILES = (2,), 1
    lease = CommitterLease(FolderStore(Path(leases)), leases)
    assert lease.acquire()
    pushing_to(Corpus(Path(folder), int(units)), endpoint).run_with(lease)


if __name__ == "__main__":
    main()
