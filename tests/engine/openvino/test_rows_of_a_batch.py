"""What an engine hears in a window depends neither on its neighbours nor on its row.

To the last bit, as a run's windows are prompted alike: so a run that was cut anywhere continues
with the same results, though other windows meet in its batches.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quest22.audio.log_mel import LogMel
from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.checkpoint.load import load
from quest22.engine.build import build_engine
from quest22.metrics import Metrics
from quest22.native.library import open_library
from quest22.records import DecodingOptions, Hypothesis, Window
from quest22.settings import EngineSettings

native_only = pytest.mark.skipif(
    open_library() is None, reason="no native library for this processor"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model"), SHAPES["small-test"])


def window(seed: int) -> Window:
    noise = np.random.default_rng(seed).normal(0, 0.1, 16_000).astype(np.float32)
    decoding = DecodingOptions(language="en", timestamps=True, max_new_tokens=4 + seed)
    return Window(noise, 0.0, decoding)


@pytest.mark.parametrize(
    ("compute_type", "native"),
    [
        ("float32", "on"),
        ("float32", "off"),
        ("bfloat16", "on"),
        ("bfloat16", "off"),
        ("int8_kv", "on"),
        pytest.param("int8", "on", marks=native_only),  # as a graph, its digits depend on the batch
    ],
)
def test_a_window_is_heard_alike_in_every_row_of_every_batch(
    folder: Path, compute_type: str, native: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEST22_NATIVE", native)
    checkpoint = load(str(folder))
    settings = EngineSettings(compute_type=compute_type, batch_size=4, threads=1)
    features = LogMel(checkpoint.dimensions.mel_bins, 1)
    engine = build_engine(checkpoint, features, settings, Metrics())
    heard: dict[int, set[Hypothesis]] = {seed: set() for seed in range(4)}
    for batch in ([0, 1, 2, 3], [3, 2, 1, 0], [2], [1, 3], [0, 2, 3]):
        for seed, hypothesis in zip(batch, engine.run([window(s) for s in batch]), strict=True):
            heard[seed].add(hypothesis)
    assert {seed: len(each) for seed, each in heard.items()} == dict.fromkeys(heard, 1)
