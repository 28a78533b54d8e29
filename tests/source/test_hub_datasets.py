"""Datasets on the Hub: one subprocess, for the clients read HF_ENDPOINT when they are imported."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import corpora
from tests.support.hub import Fault, Hub, Repository

ROWS = corpora.samples(12)

SCRIPT = """
import json, sys
from pathlib import Path
from quest22.errors import Quest22Error
from quest22.metrics import Metrics
from quest22.records import Failure
from quest22.settings import DatasetSettings
from quest22.source.dataset import DatasetSource

def sound(clip):
    if isinstance(clip.media, bytes):
        return len(clip.media)
    with clip.media() as file:
        return len(file.read())

def run(settings):
    try:
        metrics = Metrics()
        source = DatasetSource(DatasetSettings(**settings), metrics)
        clips = list(source)
    except Quest22Error as exc:
        return {"error": f"{type(exc).__name__}: {exc}"}
    bad = [clip.reason for clip in clips if isinstance(clip, Failure)]
    if bad:
        return {"bad": bad}
    return {
        "revision": source.revision,
        "origins": sorted({clip.origin.revision for clip in clips}),
        "retries": {kind: n for (_, kind), n in metrics.labelled_counts("retries").items()},
        "rows": [[clip.key, clip.reference, sound(clip)] for clip in clips],
    }

print(json.dumps({name: run(case) for name, case in json.loads(sys.argv[1]).items()}))
"""

README = """---
configs:
- config_name: clean
  data_files:
  - split: test
    path: clean/test-*.parquet
- config_name: other
  data_files:
  - split: test
    path: other/test-*.parquet
---
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as running:
        yield running


@pytest.fixture(scope="module")
def two_configs(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    folder = tmp_path_factory.mktemp("two_configs")
    corpora.write_parquet(folder / "clean.parquet", ROWS[:7], ballast=100_000)
    corpora.write_parquet(folder / "other.parquet", ROWS[7:])
    files: dict[str, bytes | Path] = {
        "README.md": README.encode(),
        "clean/test-00000-of-00001.parquet": folder / "clean.parquet",
        "other/test-00000-of-00001.parquet": folder / "other.parquet",
    }
    repository = hub.add_dataset("org/speech", files)
    repository.tag("v1")
    repository.commit({**files, "clean/test-00000-of-00001.parquet": folder / "other.parquet"})
    return repository


@pytest.fixture(scope="module")
def answers(
    hub: Hub, two_configs: Repository, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("others")
    corpora.write_audiofolder(folder / "sounds", ROWS)
    sounds = {path.name: path for path in (folder / "sounds").iterdir()}
    hub.add_dataset("org/sounds", sounds)
    corpora.write_tar(folder / "a.tar", ROWS)
    hub.add_dataset("org/tar", {"train-0.tar": folder / "a.tar"})
    corpora.write_jsonl(folder / "a.jsonl", ROWS, lambda row: f"{row.id}.wav")
    hub.add_dataset("org/lines", {"a.jsonl": folder / "a.jsonl", **sounds})
    corpora.write_parquet(folder / "a.parquet", ROWS)
    files = {"a.parquet": folder / "a.parquet"}
    hub.add_dataset("org/gated", files, gated=True, readers={"hf_reader"})
    hub.add_dataset("org/private", files, private=True, readers={"hf_reader"})
    hub.add_dataset("org/script", {"script.py": b"raise SystemExit('it ran')"})
    clean = {"path": "org/speech", "config": "clean", "split": "test"}
    file = f"hf://datasets/org/speech@{two_configs.sha('v1')}/clean/test-00000-of-00001.parquet"
    cases = {
        "newest": clean,
        "tag": {**clean, "revision": "v1"},
        "at sign": {**clean, "path": "org/speech@v1"},
        "web address": {**clean, "path": f"{hub.endpoint}/datasets/org/speech"},
        "other config": {**clean, "config": "other"},
        "data file": {"path": file},
        "newest data file": {"path": file.replace(f"@{two_configs.sha('v1')}", "")},
        "pattern": {"path": "hf://datasets/org/speech@v1/*/test-*.parquet"},
        "data files": {"path": "org/speech", "data_files": ["other/*.parquet"], "split": "dev"},
        "audiofolder": {"path": "org/sounds"},
        "webdataset": {"path": "org/tar"},
        "json lines": {"path": "org/lines", "data_files": ["a.jsonl"]},
        "gated, with token": {"path": "org/gated", "token": "hf_reader"},
        "private, with token": {"path": "org/private", "token": "hf_reader"},
        "gated": {"path": "org/gated"},
        "private": {"path": "org/private"},
        "no such name": {"path": "org/nobody"},
        "no such revision": {**clean, "revision": "v9"},
        "no such config": {**clean, "config": "dirty"},
        "no config": {"path": "org/speech"},
        "no such split": {**clean, "split": "dev"},
        "no such column": {**clean, "audio_column": "voice"},
        "script": {"path": "org/script"},
    }
    home = tmp_path_factory.mktemp("home")
    answers = _run(cases, hub.environment(home))
    answers["kept on disk"] = [path for path in home.rglob("*") if path.is_file()]
    return answers


def _run(cases: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", SCRIPT, json.dumps(cases)],
        env={**environment, "USE_TORCH": "0"},  # users have no PyTorch; it would only be slow
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if "nothing has come for" not in line]
    assert told == []  # but that a busy machine was waited for
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def _rows(start: int, stop: int, suffix: str = "") -> list[list[Any]]:
    return [[row.id + suffix, row.text, len(row.sound)] for row in ROWS[start:stop]]


@pytest.mark.parametrize(
    ("case", "rows"),
    [
        ("newest", _rows(7, 12)),
        ("tag", _rows(0, 7)),
        ("at sign", _rows(0, 7)),
        ("web address", _rows(7, 12)),
        ("other config", _rows(7, 12)),
        ("data file", _rows(0, 7)),
        ("newest data file", _rows(7, 12)),
        ("pattern", _rows(0, 12)),
        ("data files", _rows(7, 12)),
        ("audiofolder", _rows(0, 12, ".wav")),
        ("webdataset", _rows(0, 12)),
        ("json lines", _rows(0, 12)),
        ("gated, with token", _rows(0, 12)),
        ("private, with token", _rows(0, 12)),
    ],
)
def test_repositories_stream(answers: dict[str, Any], case: str, rows: list[list[Any]]) -> None:
    assert answers[case].get("rows") == rows, answers[case]


@pytest.mark.parametrize(
    ("case", "revision"),
    [
        ("newest", "main"),
        ("tag", "v1"),
        ("data file", "v1"),
        ("newest data file", "main"),
        ("pattern", "v1"),
    ],
)
def test_the_revision_is_a_commit(
    answers: dict[str, Any], two_configs: Repository, case: str, revision: str
) -> None:
    commit = two_configs.sha(revision)
    assert answers[case]["revision"] == commit
    assert answers[case]["origins"] == [commit]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("gated", ["org/gated", "accept its terms", "hf auth login"]),
        ("private", ["org/private", "check the name", "HF_TOKEN"]),
        ("no such name", ["org/nobody", "check the name"]),
        ("no such revision", ["org/speech", "v9", "check --revision"]),
        ("no such config", ["dirty", "clean", "other"]),
        ("no config", ["several configs", "clean", "other"]),
        ("no such split", ["'dev'", "test"]),
        ("no such column", ["'voice'", "id, audio, text"]),
        ("script", ["org/script", "script", "never run"]),
    ],
)
def test_what_cannot_be_streamed_is_said_in_a_line(
    answers: dict[str, Any], case: str, words: list[str]
) -> None:
    error = answers[case]["error"]
    assert error.startswith("SourceError: ")
    assert "\n" not in error
    assert [word for word in words if word not in error] == [], error


def test_no_data_is_kept_on_disk(answers: dict[str, Any]) -> None:
    assert sum(path.stat().st_size for path in answers["kept on disk"]) < 20_000


def test_a_hub_that_is_not_there(tmp_path: Path) -> None:
    with Hub() as gone:
        environment = gone.environment(tmp_path)
    answers = _run({"gone": {"path": "org/speech"}}, environment)
    assert "cannot be reached" in answers["gone"]["error"]
    assert "HF_ENDPOINT" in answers["gone"]["error"]


@pytest.mark.slow
def test_faults_of_the_hub_and_its_storage_are_waited_out(hub: Hub, tmp_path: Path) -> None:
    corpora.write_parquet(tmp_path / "a.parquet", ROWS, ballast=50_000)
    hub.add_dataset("org/stormy", {"data/train-0.parquet": tmp_path / "a.parquet"})
    hub.faults += [
        Fault("api/datasets/org/stormy", status=503),
        Fault("org/stormy/resolve", status=429, headers={"Retry-After": "0"}),
        Fault("storage", method="GET", status=502),
        Fault("storage", method="GET", cut_after=1000),
        Fault("storage", method="GET", cut_after=1000, reset=True),
        Fault("org/stormy/resolve", then=hub.expire_signatures),
    ]
    answers = _run({"stormy": {"path": "org/stormy"}}, hub.environment(tmp_path / "home"))
    assert answers["stormy"].get("rows") == _rows(0, 12), answers
    assert [fault for fault in hub.faults if fault.times] == []
    retries = answers["stormy"]["retries"]
    assert {"HTTP 502", "body cut off", "connection lost"} <= set(retries), retries
