"""``quest22 push``, and what ``plan``, ``work``, ``retry`` and ``status`` do about it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import quest22
from quest22.cli.exits import Exit
from tests.support.hub import Hub
from tests.torture.rows import write_rows


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["push", "{folder}"], "no plan in"),
        (["push", "{folder}", "--hub-commit-every", "soon"], "a time such as 10m"),
        (["push", "{folder}", "--private"], "give --push-to-hub"),
        (["push", "https://example.org/x"], "no store that workers can share"),
    ],
)
def test_what_cannot_be_published(tmp_path, run, arguments, told):
    ended = run(*(each.format(folder=tmp_path) for each in arguments))
    assert ended.code == Exit.USAGE
    assert told in ended.err


@pytest.mark.slow
def test_a_run_on_a_cluster_publishes_what_its_workers_do(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data", 15)
    with Hub() as hub:
        hub.add_writer("hf_w", "ana")
        home = hub.environment(tmp_path / "home") | {"HF_TOKEN": "hf_w", "USE_TORCH": "0"}
        home |= {"PYTHONPATH": str(Path(quest22.__file__).parents[1])}

        def run(*options: str) -> subprocess.CompletedProcess[str]:
            command = ["stream", "parquet", "--data-files", "data/*.parquet", "-m", "nano"]
            command += ["-o", "out", "--cluster", "local", "--cluster-workers", "1", *options]
            return subprocess.run(
                [sys.executable, "-m", "quest22", *command],
                env=home, cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip

        ended = run("--unit", "2s", "--push-to-hub", "speech-text")
        assert ended.returncode in {0, 3}, ended.stderr
        assert f"the dataset is at {hub.endpoint}/datasets/ana/speech-text" in ended.stderr
        published = hub.dataset("ana/speech-text")
        files = published.head()
        assert "--push-to-hub speech-text" in files["README.md"].decode()
        rows = pq.read_table(io.BytesIO(files["data/train-00000.parquet"])).to_pylist()
        assert len(rows) == 15
        before = len(published.written)
        again = run("--unit", "2s", "--push-to-hub", "speech-text")
        assert again.returncode == ended.returncode, again.stderr
        assert len(published.written) == before
        other = run("--unit", "2s", "--push-to-hub", "elsewhere")
        assert other.returncode == 2
        assert "published as ana/speech-text" in other.stderr


@pytest.mark.slow
def test_a_plan_is_published_by_its_last_worker_and_again_after_a_retry(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data", 15)
    with Hub() as hub:
        hub.add_writer("hf_w", "ana")
        home = hub.environment(tmp_path / "home")
        home |= {"PYTHONPATH": str(Path(quest22.__file__).parents[1]), "USE_TORCH": "0"}

        def run(*arguments: str, token: str = "hf_w") -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", "quest22", *arguments],
                env=home | {"HF_TOKEN": token}, cwd=tmp_path, capture_output=True, text=True,
                check=False,
            )  # fmt: skip

        plan = ["plan", "parquet", "--data-files", "data/*.parquet", "-m", "nano", "--unit", "2s"]
        plan += ["--store", "store", "--push-to-hub", "speech-text", "--private"]
        refused = run(*plan, token="hf_wrong")
        assert refused.returncode == 1, refused.stderr
        assert not (tmp_path / "store/plan.json").exists()
        planned = run(*plan)
        assert planned.returncode == 0, planned.stderr
        assert "quest22 push store" in planned.stderr
        kept = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*.json"))
        assert b"hf_w" not in kept

        worked = run("work", "store")
        assert worked.returncode == 0, worked.stderr
        assert f"{hub.endpoint}/datasets/ana/speech-text" in worked.stderr
        published = hub.dataset("ana/speech-text")
        assert published.private
        files = published.head()
        assert sorted(files) == ["README.md", "data/train-00000.parquet", "quest22.json"]
        assert "--push-to-hub speech-text" in files["README.md"].decode()
        rows = pq.read_table(io.BytesIO(files["data/train-00000.parquet"])).to_pylist()
        assert len(rows) == 15
        failed = [row for row in rows if row["error"]]
        shown = json.loads(run("status", "store", "--json").stdout)["hub"]
        assert (shown["units"], shown["failures"], shown["finished"]) == (3, len(failed), True)
        before = len(published.written)
        assert run("push", "store").returncode == 0
        assert len(published.written) == before

        write_rows(tmp_path / "data", 15, healed=True)
        retried = run("retry", "store", token="")
        assert retried.returncode == 0, retried.stderr
        assert "not published on the Hub from here" in retried.stderr
        assert "not finished" in run("status", "store").stdout
        pushed = run("push", "store")
        assert pushed.returncode == 0, pushed.stderr
        rows = pq.read_table(io.BytesIO(published.head()["data/train-00000.parquet"])).to_pylist()
        assert [row["error"] for row in rows] == [None] * 15
        assert "finished" in run("status", "store").stdout
