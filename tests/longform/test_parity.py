"""The product beside Transformers' pipeline: the same sound and weights, the same text."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quest22.audio.log_mel import LogMel
from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.checkpoint.load import load
from quest22.engine.build import build_engine
from quest22.longform.chunked import ChunkedStrategy
from quest22.metrics import Metrics
from quest22.records import Audio, Samples, Transcript
from quest22.runtime.ordered import OrderedDriver
from quest22.settings import DecodingSettings, EngineSettings, LongFormSettings
from tests.support.fake_whisper import CLIP

NEW_TOKENS = 24


def noise(duration_s: float) -> Samples:
    """Noise that swells and fades."""
    count = round(duration_s * 16_000)
    swell = 1 + np.sin(np.arange(count) / 5000)
    return (np.random.default_rng(3).normal(0, 0.1, count) * swell).astype(np.float32)


def ours(folder: Path, samples: Samples, *, timestamps: bool) -> Transcript:
    checkpoint = load(str(folder))
    settings = EngineSettings(model=str(folder), compute_type="float32", threads=2)
    features = LogMel(checkpoint.dimensions.mel_bins, 2)
    engine = build_engine(checkpoint, features, settings, Metrics())
    decoding = DecodingSettings(timestamps=timestamps, max_new_tokens=NEW_TOKENS)
    strategy = ChunkedStrategy(LongFormSettings(), decoding, checkpoint.tokens)
    (transcript,) = OrderedDriver(engine, strategy, Metrics()).run([Audio(CLIP, iter([samples]))])
    assert isinstance(transcript, Transcript)
    return transcript


def theirs(folder: Path, samples: Samples, *, timestamps: bool) -> dict[str, Any]:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    transformers = pytest.importorskip("transformers", reason="Transformers is not installed")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = transformers.pipeline(
            "automatic-speech-recognition", model=str(folder), dtype=torch.float32
        )
        outcome: dict[str, Any] = run(
            samples.copy(),
            chunk_length_s=30,
            stride_length_s=5,
            return_timestamps=timestamps,
            generate_kwargs={"num_beams": 1, "max_new_tokens": NEW_TOKENS},
        )
    return outcome


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize("timestamps", [False, True])
def test_the_same_text_as_the_pipeline(tmp_path: Path, *, timestamps: bool) -> None:
    folder = write_checkpoint(tmp_path / "model", SHAPES["small-test"])
    samples = noise(50)
    transcript = ours(folder, samples, timestamps=timestamps)
    assert transcript.text
    assert transcript.text == theirs(folder, samples, timestamps=timestamps)["text"].strip()
