"""What all tests share."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from hypothesis import settings

from quest22.checkpoint.caches import own_folder
from tests.support.caches import Caches, empty_caches
from tools.weights import MODELS

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

WEIGHTS = own_folder("")
"""In the user's own cache folder; tests have another."""


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of the tests' own, for this process and those it starts."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["QUEST22_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def threads_of_engines() -> None:
    """One for each engine where several test processes share the cores.

    Threads that wait for one another's turn on a busy core cost half as much again.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("QUEST22_THREADS", "1")


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caches:
    """Empty caches of models, for this process alone."""
    return empty_caches(tmp_path / "caches", monkeypatch)


@pytest.fixture(autouse=True)
def log_level() -> None:
    """A command that is run within a test or a fixture sets how much is told: for it alone."""
    logging.getLogger("quest22").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def speech_folder() -> Path:
    """The folder of real recordings: ``$QUEST22_SPEECH``, else ``../shared/speech``."""
    beside = Path(__file__).parents[2] / "shared" / "speech"
    folder = Path(os.environ.get("QUEST22_SPEECH") or beside)
    if not folder.is_dir():
        pytest.skip("no folder of real recordings: set QUEST22_SPEECH")
    return folder


@pytest.fixture(scope="session")
def real_weights() -> dict[str, Path]:
    """Folders of Whisper's tiny.en and base by name, as ``make weights`` fetches them."""
    folders = {name: WEIGHTS / name for name in MODELS}
    if missing := [name for name, folder in folders.items() if not folder.is_dir()]:
        pytest.skip(f"no weights of {', '.join(missing)}: run make weights")
    return folders
