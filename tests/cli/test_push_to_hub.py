"""``quest22 stream --push-to-hub``, whole: the command, the clients and the Hub's stand-in."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import quest22
from quest22.cli.output_flags import HubFlags
from quest22.errors import UsageError
from tests.support.corpora import samples, write_parquet
from tests.support.hub import Fault, Hub


def test_publishing_needs_a_folder():
    with pytest.raises(UsageError, match="--output-dir"):
        HubFlags("org/name").settings(None, in_folder=False)
    assert HubFlags().settings(None, in_folder=False) is None


def test_the_command_publishes_and_continues(model: str, tmp_path: Path):
    """Refused in the middle of a commit; the same command then finishes the work."""
    write_parquet(tmp_path / "rows.parquet", samples(5))
    command = [sys.executable, "-m", "quest22", "stream", "parquet", "-m", model, "-o", "out"]
    command += ["--data-files", "rows.parquet", "--keep-columns", "speaker", "--language", "en"]
    command += ["--push-to-hub", "transcripts", "--private", "--hub-commit-every", "2"]
    with Hub() as hub:
        hub.add_writer("hf_w", "ana")
        home = hub.environment(tmp_path / "home") | {"HF_TOKEN": "hf_w"}
        home |= {"PYTHONPATH": str(Path(quest22.__file__).parents[1])}

        def run() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command, env=home, cwd=tmp_path, capture_output=True, text=True, check=False
            )

        hub.faults.append(Fault("objects/batch", status=403))
        refused = run()
        assert refused.returncode == 1, refused.stderr
        assert "the token has no write access to ana/transcripts" in refused.stderr
        done = run()
        assert done.returncode == 0, done.stderr
        assert f"{hub.endpoint}/datasets/ana/transcripts" in done.stderr
        published = hub.dataset("ana/transcripts")
        assert published.private
        files = published.head()
        assert sorted(files) == ["README.md", "data/train-00000.parquet", "quest22.json"]
        assert "--push-to-hub transcripts" in files["README.md"].decode()
        rows = pq.read_table(io.BytesIO(files["data/train-00000.parquet"])).to_pylist()
        lines = (tmp_path / "out" / "transcripts.jsonl").read_text().splitlines()
        assert [row["id"] for row in rows] == [json.loads(line)["id"] for line in lines]
        assert [row["speaker"] for row in rows] == [0, 1, 2, 3, 4]
        assert not (tmp_path / "out" / ".quest22" / "hub").exists()
        assert "already finished" in run().stderr


@pytest.mark.slow
def test_what_failed_is_published_when_it_is_run_again(model: str, tmp_path: Path):
    """The retry is refused in the middle of a commit; the same command then finishes it."""
    made = samples(4)
    broken = [replace(made[0], sound=b"no sound"), made[1], replace(made[2], sound=b""), made[3]]
    write_parquet(tmp_path / "rows.parquet", broken)
    command = ["stream", "parquet", "-m", model, "-o", "out", "--data-files", "rows.parquet"]
    command += ["--language", "en", "--push-to-hub", "transcripts"]
    with Hub() as hub:
        hub.add_writer("hf_w", "ana")
        home = hub.environment(tmp_path / "home") | {"HF_TOKEN": "hf_w"}
        home |= {"PYTHONPATH": str(Path(quest22.__file__).parents[1])}

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", "quest22", *arguments],
                env=home, cwd=tmp_path, capture_output=True, text=True, check=False,
            )  # fmt: skip

        def published() -> tuple[dict[str, bytes], list[dict[str, Any]]]:
            files = hub.dataset("ana/transcripts").head()
            tables = sorted(name for name in files if name.endswith(".parquet"))
            rows = [row for name in tables for row in _rows(files[name])]
            return files, rows

        assert run(*command).returncode == 3
        files, rows = published()
        assert [row["id"] for row in rows] == ["utt-001", "utt-003"]
        assert set(rows[0]) >= {"speaker", "source_text", "source_id"}
        assert len(files["failures.jsonl"].splitlines()) == 2
        assert "| Failed clips | 2 |" in files["README.md"].decode()

        write_parquet(tmp_path / "rows.parquet", [*made[:2], broken[2], made[3]])
        hub.faults.append(Fault("objects/batch", status=403))
        assert run("retry", "out").returncode == 1
        ended = run("retry", "out")
        assert ended.returncode == 3, ended.stderr
        files, rows = published()
        assert [row["id"] for row in rows] == ["utt-001", "utt-003", "utt-000"]
        assert len(files["failures.jsonl"].splitlines()) == 1
        assert "| Failed clips | 1 |" in files["README.md"].decode()

        write_parquet(tmp_path / "rows.parquet", made)
        ended = run("retry", "out")
        assert ended.returncode == 0, ended.stderr
        files, rows = published()
        assert [row["id"] for row in rows] == ["utt-001", "utt-003", "utt-000", "utt-002"]
        assert "failures.jsonl" not in files
        assert "| Transcripts | 4 |" in files["README.md"].decode()
        lines = (tmp_path / "out" / "transcripts.jsonl").read_text().splitlines()
        assert [json.loads(line)["id"] for line in lines] == [row.id for row in made]


def _rows(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return rows
