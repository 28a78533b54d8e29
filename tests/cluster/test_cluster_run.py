"""What a run on a cluster is asked to do, before there is a cluster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quest22 import Transcriber
from quest22.cluster.cluster_run import cluster_run, run_on_cluster, store_address
from quest22.cluster.folder_store import FolderStore
from quest22.cluster.work import open_worker
from quest22.errors import UsageError
from quest22.runs.context import RunContext
from quest22.runs.events import ClusterEnded, PlanReady, RunEvent
from quest22.runs.journal import JOURNAL
from quest22.settings.cluster import ClusterRunSettings
from tests.cluster.test_plan import settings
from tests.torture.rows import write_rows
from tests.torture.worker import MixingPipeline


@pytest.mark.parametrize(
    ("out", "address"),
    [
        ("/data/out", "/data/out"),
        ("s3://bucket/a/b", "s3://bucket/a/b"),
        (Path("s3://bucket/a"), "s3://bucket/a"),
        ("relative", str(Path.cwd() / "relative")),
    ],
)
def test_the_address_of_a_store(out: str | Path, address: str) -> None:
    assert store_address(out) == address


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"formats": ("srt",)}, "jsonl or parquet"),
        ({"formats": ("jsonl", "parquet")}, "several --output-format"),
        ({"max_failures": 0}, "--max-failures"),
        ({"restart": True}, "another folder"),
    ],
)
def test_what_a_cluster_does_not_do(tmp_path: Path, changes: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        cluster_run(replace(settings(tmp_path), **changes), tmp_path, {"cluster": "local"})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cluster": "yarn"}, "local, auto or ray://"),
        ({"cluster": "local", "worker_cpus": 0}, "worker_cpus is 0"),
        ({"cluster": "local", "finish_in": "0s"}, "finish_in is 0"),
        ({"cluster": "local", "finish_in": "1h"}, "a least and a most"),
        ({"cluster": "local", "finish_in": "1h", "cluster_workers": 4}, "a least and a most"),
    ],
)
def test_values_that_cannot_be(tmp_path: Path, options: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        cluster_run(settings(tmp_path), tmp_path, options)


def test_options_by_their_names() -> None:
    given = cluster_run(
        settings(Path()), "/out", {"cluster": "auto", "cluster_workers": "2:16", "unit": "1h"}
    )
    assert given.run == ClusterRunSettings("auto", (2, 16))
    assert (given.plan.store, given.plan.unit_s, given.plan.format) == ("/out", 3600.0, "jsonl")


def test_a_plan_that_is_done_starts_no_cluster(tmp_path: Path) -> None:
    write_rows(tmp_path, 15)
    given = cluster_run(settings(tmp_path), tmp_path / "out", {"cluster": "auto", "unit": 1.3})
    events: list[RunEvent] = []
    store = tmp_path / "out"

    def planned_and_done(event: RunEvent) -> None:
        events.append(event)
        if isinstance(event, PlanReady) and event.is_new:
            with open_worker(FolderStore(store), context=RunContext(load=MixingPipeline)) as worker:
                worker.run()

    summary = run_on_cluster(given, planned_and_done, MixingPipeline)
    assert summary.finished
    assert (summary.transcripts + summary.failures, summary.open_ends) == (15, 0)
    assert summary.stats.transcripts == 0
    assert isinstance(events[-1], ClusterEnded)
    again = run_on_cluster(given, events.append, MixingPipeline)
    assert (again.transcripts, again.failures) == (summary.transcripts, summary.failures)


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / JOURNAL
    journal.parent.mkdir()
    journal.write_text("{}")
    given = cluster_run(settings(tmp_path), tmp_path, {"cluster": "local"})
    with pytest.raises(UsageError, match="without --cluster"):
        run_on_cluster(given, lambda event: None, MixingPipeline)


def test_options_of_a_cluster_need_one(tmp_path: Path) -> None:
    with Transcriber("nano") as whisper, pytest.raises(UsageError, match="cluster='local'"):
        whisper.stream_to(tmp_path, "parquet", cluster_workers=2)
