"""A small random model and a few sounds, made once for all tests of the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.cli.main import main
from tests.support.corpora import samples, write_parquet, write_sounds


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model") / "random"
    return str(write_checkpoint(folder, SHAPES["small-test"]))


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three WAV files of 0.1 s."""
    folder = tmp_path_factory.mktemp("sounds")
    write_sounds(folder, samples(3))
    return folder


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Parquet file of five rows."""
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_parquet(path, samples(5))
    return str(path)


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    """Runs ``quest22`` with arguments in this process."""

    def call(*arguments: object) -> Ended:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return call
