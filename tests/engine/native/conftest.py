"""Small random checkpoints, and the native libraries that can run here."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from quest22.bench.random_checkpoint import Shape, write_checkpoint
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights
from quest22.native import library
from quest22.system.machine import processor_flags

SETS = library.suitable(library.FOLDER, frozenset(processor_flags()))
SHAPES = {
    "heads of 12 numbers": Shape(60, 5, 2, 1),
    "heads of 24": Shape(72, 3, 1, 2),
    "heads of 64": Shape(128, 2, 2, 1),
}

Model = tuple[Weights, Dimensions]


@pytest.fixture(scope="session", params=SHAPES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder: Path = write_checkpoint(tmp_path_factory.mktemp("native"), SHAPES[request.param])
    return Weights.open(folder), Dimensions.read(folder)


def opened(name: str) -> ctypes.CDLL:
    """The library for an instruction set."""
    found = library.best_library(library.FOLDER, library.NEEDED_FLAGS[name])
    assert found is not None
    assert found[0] == name
    return found[1]
