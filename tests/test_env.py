from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import quest22
from quest22 import env
from quest22.errors import UsageError
from quest22.settings import EngineSettings


def test_cache_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("QUEST22_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert env.cache_folder() == tmp_path / "quest22"
    monkeypatch.setenv("QUEST22_CACHE", str(tmp_path / "named"))
    assert env.cache_folder() == tmp_path / "named"


def test_a_child_process_gets_another_cache_folder(tmp_path: Path) -> None:
    child = env.with_cache_folder(tmp_path)
    assert child == {**os.environ, "QUEST22_CACHE": str(tmp_path)}


def test_compiled_graphs_may_grow_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUEST22_GRAPH_CACHE_MB", raising=False)
    assert env.graph_cache_bytes() == 4_000_000_000
    monkeypatch.setenv("QUEST22_GRAPH_CACHE_MB", "0")
    assert env.graph_cache_bytes() == 0
    monkeypatch.setenv("QUEST22_GRAPH_CACHE_MB", "lots")
    with pytest.raises(UsageError, match="'lots': expected megabytes"):
        env.graph_cache_bytes()


def test_threads_are_those_of_the_settings_else_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("QUEST22_THREADS", raising=False)
    assert EngineSettings().cpu_threads is None
    monkeypatch.setenv("QUEST22_THREADS", "3")
    assert EngineSettings().cpu_threads == 3
    assert EngineSettings(threads=2).cpu_threads == 2
    for wrong in ("0", "-1", "all", "²"):
        monkeypatch.setenv("QUEST22_THREADS", wrong)
        with pytest.raises(UsageError, match=f"QUEST22_THREADS is '{wrong}': expected a number"):
            _ = EngineSettings().cpu_threads


@pytest.mark.parametrize(("value", "library"), [(None, "on"), ("", "on"), ("off", "off")])
def test_the_native_library_is_on_unless_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None, library: str
) -> None:
    if value is None:
        monkeypatch.delenv("QUEST22_NATIVE", raising=False)
    else:
        monkeypatch.setenv("QUEST22_NATIVE", value)
    assert env.native_library() == library


def test_telemetry_is_silenced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    assert not env.is_telemetry_silenced()
    for name in (
        "DO_NOT_TRACK",
        "HF_DATASETS_DISABLE_TELEMETRY",
        "HF_UPDATE_DOWNLOAD_COUNTS",
        "RAY_USAGE_STATS_ENABLED",
    ):
        monkeypatch.setenv(name, "")
    env.silence_telemetry()
    assert env.is_telemetry_silenced()
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_a_ray_cluster_is_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("RAY_worker_niceness", "7")
    env.confine_ray()
    assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert os.environ["RAY_worker_niceness"] == "7"  # noqa: SIM112 -- Ray's


def test_a_host_is_added_to_those_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.setenv("no_proxy", "")
    env.bypass_proxy("127.0.0.1")
    assert os.environ["NO_PROXY"] == "example.org,127.0.0.1"
    assert os.environ["no_proxy"] == "127.0.0.1"


def test_no_other_module_reads_the_environment() -> None:
    folder = Path(quest22.__file__).parent
    reads = re.compile(r"\bos\.(environ|getenv|putenv)\b|from os import .*(environ|getenv)")
    readers = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if reads.search(path.read_text(encoding="utf-8"))
    ]
    assert readers == ["env.py"]
