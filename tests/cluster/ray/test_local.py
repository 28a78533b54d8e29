"""Runs of this process: from Python, and with workers that do not see the store's folder."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quest22 import Transcriber
from quest22.cli.main import main
from quest22.cluster.folder_store import FolderStore
from quest22.cluster.plan import read_plan
from quest22.errors import Quest22Error
from quest22.runs.events import ClusterProgress, RunEvent, ignore_event
from quest22.settings import EngineSettings
from quest22.settings.cluster import ClusterRunSettings, ClusterWorkSettings
from tests.cluster.ray.conftest import Corpus, pids_of, published

if TYPE_CHECKING:
    from quest22.cluster.ray.launch import Launch

pytestmark = pytest.mark.slow


def launched(folder: Path) -> Launch:
    """Two workers on the plan in a folder."""
    from quest22.cluster.ray.launch import Launch

    store = FolderStore(folder)
    return Launch(
        read_plan(store),
        store,
        str(folder),
        ClusterRunSettings("auto", (2, 2), 1),
        ClusterWorkSettings(10.0),
        EngineSettings(),
        5.0,
    )


def test_from_python(corpus: Corpus, local_ray: None, tmp_path: Path) -> None:
    with Transcriber("nano") as whisper:
        summary = whisper.stream_to(
            tmp_path,
            "parquet",
            data_files=corpus.arguments[2],
            cluster="auto",
            cluster_workers="1:2",
            worker_cpus=1,
            unit="5s",
            finish_in="1h",
        )
    assert summary.finished
    assert summary.transcripts == summary.stats.transcripts == 32
    assert published(tmp_path) == corpus.files


def test_workers_publish_through_an_actor_that_is_killed(
    corpus: Corpus, local_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quest22.cluster.ray import launch
    from quest22.cluster.ray.session import connect
    from quest22.cluster.ray.visibility import SharedFolder

    @contextmanager
    def unseen(folder: Path) -> Iterator[SharedFolder]:
        yield SharedFolder(folder, "a file that is not there")

    session = connect("auto")
    (own,) = session.nodes()
    monkeypatch.setattr(launch, "probed", unseen)
    monkeypatch.setattr(launch, "check_nodes", lambda *_: own)
    assert main(["plan", *corpus.arguments, "--store", str(tmp_path)]) == 0
    given = launched(tmp_path)
    killed: list[int] = []

    def kill_once(event: RunEvent) -> None:
        if isinstance(event, ClusterProgress) and event.published >= 2 and not killed:
            killed.extend(pids_of("ray::LedgerActor"))
            os.kill(killed[0], signal.SIGKILL)

    last = launch.run_workers(given, session, kill_once)
    assert killed
    assert (last.published, last.failed) == (len(corpus.files), 0)
    assert published(tmp_path) == corpus.files


def test_workers_that_cannot_begin_end_the_run(
    local_ray: None, tmp_path: Path, corpus: Corpus
) -> None:
    """As soon as several have, with what the last one said."""
    from quest22.cluster.ray import launch
    from quest22.cluster.ray.session import connect

    data = tmp_path / "data"
    shutil.copytree(Path(corpus.arguments[2]).parent, data)
    arguments = ("parquet", "--data-files", f"{data}/*.parquet", "-m", "nano", "--unit", "5s")
    assert main(["plan", *arguments, "--store", str(tmp_path / "out")]) == 0
    shutil.rmtree(data)
    given = launched(tmp_path / "out")
    with pytest.raises(Quest22Error, match=r"5 workers ended .*no files match"):
        launch.run_workers(given, connect("auto"), ignore_event)
