"""Workers that do not see the store's folder publish through the ledger's actor."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quest22.cli.main import main
from quest22.cluster.folder_store import FolderStore
from quest22.cluster.plan import read_plan
from quest22.runs.events import ClusterProgress, RunEvent
from quest22.settings import EngineSettings
from quest22.settings.cluster import ClusterRunSettings, ClusterWorkSettings
from tests.cluster.ray.conftest import Corpus, pids_of, published

pytestmark = pytest.mark.slow


def test_the_bytes_are_the_same_though_the_actor_is_killed(
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
    store = FolderStore(tmp_path)
    given = launch.Launch(
        read_plan(store),
        store,
        str(tmp_path),
        ClusterRunSettings("auto", (2, 2), 1),
        ClusterWorkSettings(10.0),
        EngineSettings(),
        5.0,
    )
    killed: list[int] = []

    def kill_once(event: RunEvent) -> None:
        if isinstance(event, ClusterProgress) and event.published >= 2 and not killed:
            killed.extend(pids_of("ray::LedgerActor"))
            os.kill(killed[0], signal.SIGKILL)

    last = launch.run_workers(given, session, kill_once)
    assert killed
    assert (last.published, last.failed) == (len(corpus.files), 0)
    assert published(tmp_path) == corpus.files
