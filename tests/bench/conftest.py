"""A small workload, made once for all tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from quest22.bench.clips import synthetic_clips, write_samples
from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.bench.workload import Workload


@pytest.fixture(scope="session")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    """Three clips of 2 s, and a small model that speaks without end, four tokens a window."""
    home = tmp_path_factory.mktemp("bench")
    model = write_checkpoint(home / "model", SHAPES["small-test"], dtype="F16", endless=True)
    clips = synthetic_clips(3, 2.0)
    write_samples(home / "sounds.npy", clips)
    lengths = tuple(map(len, clips))
    scratch = Path(home / "scratch")
    scratch.mkdir()
    return Workload(str(model), str(home / "sounds.npy"), lengths, str(scratch), tokens=4)
