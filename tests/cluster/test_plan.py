"""A plan is written once; workers refuse what is not as it was planned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quest22.cluster.folder_store import FolderStore
from quest22.cluster.layout import PLAN
from quest22.cluster.plan import ClusterPlan, check_files, make_plan, read_plan, write_plan
from quest22.cluster.units import PlannedFile, Units
from quest22.cluster.work import ClusterWorker, ledger_of
from quest22.errors import SourceError, UsageError
from quest22.runs.context import RunContext
from quest22.runs.settings import RunSettings
from quest22.settings import DatasetSettings, EngineSettings, PipelineSettings
from quest22.settings.cluster import ClusterPlanSettings
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline

UNITS = Units((PlannedFile("a", (0, 5), 9),))
PLANNED = ClusterPlan({"dataset": {"path": "a"}, "model": {"name": "m"}}, 4, "jsonl", UNITS)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_rows(folder, 15)
    return folder


def settings(data: Path, **changes: object) -> RunSettings:
    rows = DatasetSettings("parquet", data_files=(f"{data}/*.parquet",), **changes)  # type: ignore[arg-type]
    return RunSettings(rows, PipelineSettings(EngineSettings("digest", compute_type="float32")))


def planned(data: Path, store: FolderStore, unit_s: float = 1.3) -> ClusterPlan:
    return make_plan(settings(data), ClusterPlanSettings(store.shown, unit_s), DigestPipeline)


def test_a_plan_is_written_once(store: FolderStore) -> None:
    assert write_plan(PLANNED, store)
    assert not write_plan(PLANNED, store)
    assert read_plan(store) == PLANNED


def test_another_plan_is_refused_with_what_differs(store: FolderStore) -> None:
    write_plan(PLANNED, store)
    other = replace(PLANNED, run={"dataset": {"path": "b"}, "model": {"name": "m"}})
    with pytest.raises(UsageError, match=r"dataset\.path was 'a' and is 'b'.*another --store"):
        write_plan(other, store)
    more = replace(PLANNED, units=Units((PlannedFile("a", (0, 5, 7), 9),)))
    with pytest.raises(UsageError, match="had 2 units and has 3"):
        write_plan(more, store)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"quest22_cluster_plan": 99}', "[" * 9999])
def test_what_is_no_plan_is_refused(store: FolderStore, content: str) -> None:
    with pytest.raises(UsageError, match="quest22 plan"):
        read_plan(store)
    store.create(PLAN, content.encode())
    with pytest.raises(UsageError, match="cannot be read by this version"):
        read_plan(store)


def test_a_plan_says_all_that_decides_results(data: Path, store: FolderStore) -> None:
    plan = planned(data, store)
    assert [file.rows for file in plan.units.files] == [5, 5, 5]
    assert json.loads(plan.to_bytes())["run"]["model"]["weights"] == "digest"
    assert ClusterPlan.from_bytes(plan.to_bytes()) == plan


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"take": 3}, "--skip"),
        ({"shuffle": True}, "--shuffle"),
        ({"num_shards": 2}, "--num-shards"),
    ],
)
def test_what_units_cannot_do_is_refused(
    data: Path, store: FolderStore, changes: dict[str, object], flag: str
) -> None:
    with pytest.raises(UsageError, match=flag):
        make_plan(settings(data, **changes), ClusterPlanSettings(store.shown), DigestPipeline)


def test_an_address_with_secrets_is_refused(store: FolderStore) -> None:
    given = RunSettings(DatasetSettings("https://example.org/a.parquet?sig=secret"))
    with pytest.raises(UsageError, match="query or a password") as caught:
        make_plan(given, ClusterPlanSettings(store.shown), DigestPipeline)
    assert "secret" not in str(caught.value)


def test_a_worker_refuses_another_model(data: Path, store: FolderStore) -> None:
    plan = planned(data, store)
    model = {**plan.run["model"], "weights": "others"}
    with pytest.raises(UsageError, match=r"model\.weights was 'others' and is 'digest'"):
        ClusterWorker(
            replace(plan, run={**plan.run, "model": model}),
            ledger_of(plan, store),
            context=RunContext(load=DigestPipeline),
        )


def test_a_worker_refuses_another_engine(data: Path, store: FolderStore) -> None:
    plan = planned(data, store)
    model = {**plan.run["model"], "engine": "torch", "device": "cuda"}
    with pytest.raises(UsageError, match=r"model\.device was 'cuda' and is 'cpu'.*what the plan"):
        ClusterWorker(
            replace(plan, run={**plan.run, "model": model}),
            ledger_of(plan, store),
            context=RunContext(load=DigestPipeline),
        )


def test_a_plan_of_an_earlier_version_is_kept_and_its_engine_is_any(
    data: Path, store: FolderStore
) -> None:
    now = planned(data, store)
    untold = {
        name: each for name, each in now.run["model"].items() if name not in ("engine", "device")
    }
    former = replace(now, run={**now.run, "model": untold})
    assert write_plan(former, store)
    assert not write_plan(now, store)
    assert read_plan(store) == former
    with ClusterWorker(former, ledger_of(former, store), context=RunContext(load=DigestPipeline)):
        pass


def test_a_worker_refuses_other_files(data: Path, store: FolderStore) -> None:
    plan = planned(data, store)
    (data / "part-1.parquet").unlink()
    with pytest.raises(SourceError, match=r"part-1\.parquet is gone"):
        ClusterWorker(plan, ledger_of(plan, store), context=RunContext(load=DigestPipeline))


def test_files_in_another_order_are_told(data: Path, store: FolderStore) -> None:
    names = [file.name for file in planned(data, store).units.files]
    with pytest.raises(SourceError, match="order"):
        check_files(planned(data, store), names[::-1])
