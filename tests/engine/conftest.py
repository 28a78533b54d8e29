"""Small random checkpoints, and engines on them, made once for all tests of this room."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quest22.audio.log_mel import LogMel
from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.checkpoint.load import Checkpoint, load
from quest22.engine.build import build_engine
from quest22.engine.engine import WhisperEngine
from quest22.metrics import Metrics
from quest22.settings import EngineSettings

OpenCheckpoint = Callable[[str], Checkpoint]
OpenEngine = Callable[..., WhisperEngine]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> OpenCheckpoint:
    """A checkpoint by the name of its shape, or ``nano``."""
    home, opened = tmp_path_factory.mktemp("engine"), dict[str, Checkpoint]()

    def open_checkpoint(name: str) -> Checkpoint:
        if name not in opened:
            opened[name] = load(str(write_checkpoint(home / name, SHAPES[name], dtype="F16")))
        return opened[name]

    return open_checkpoint


@pytest.fixture(scope="session")
def engine(checkpoint: OpenCheckpoint) -> OpenEngine:
    """An engine by its checkpoint's name, its compute type and how it decodes; 16 windows a batch.

    ``native``: in machine code, where there is a library for it; else its decoder is a graph.
    """
    made: dict[tuple[str, str, str], WhisperEngine] = {}

    def open_engine(
        name: str, compute_type: str = "float32", network: str = "native"
    ) -> WhisperEngine:
        key = name, compute_type, network
        if key not in made:
            found = checkpoint(name)
            settings = EngineSettings(compute_type=compute_type, batch_size=16)
            features = LogMel(found.dimensions.mel_bins)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("QUEST22_NATIVE", "on" if network == "native" else "off")
                made[key] = build_engine(found, features, settings, Metrics())
        return made[key]

    return open_engine
