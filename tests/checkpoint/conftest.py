"""Small checkpoints with the true vocabularies, made once for all tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from quest22.bench.peers.ggml import write_ggml
from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.checkpoint.load import Checkpoint, load
from tests.support.ctranslate2 import write_folder

NAMES = {51864: "small-test.en", 51865: "small-test", 51866: "small-test-v3"}


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A checkpoint's folder by the size of its vocabulary; float16."""
    home = tmp_path_factory.mktemp("checkpoints")
    return {
        size: write_checkpoint(home / name, SHAPES[name], dtype="F16")
        for size, name in NAMES.items()
    }


@pytest.fixture(scope="session")
def multilingual(checkpoints: dict[int, Path]) -> Path:
    return checkpoints[51865]


@pytest.fixture(scope="session")
def nano() -> Checkpoint:
    return load("nano")


@pytest.fixture(scope="session")
def ctranslate2(nano: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(nano, tmp_path_factory.mktemp("faster-whisper-nano"))


@pytest.fixture(scope="session")
def ggml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ggml") / "ggml-nano.bin"
    write_ggml("nano", path)
    return path
