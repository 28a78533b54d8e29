"""Whisper's real weights out of CTranslate2 files: the tokens that CTranslate2 itself gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from quest22.audio.decode import MediaDecoder
from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import Checkpoint, load
from quest22.cli.demo import sample_files
from quest22.engine.build import build_engine
from quest22.metrics import Metrics
from quest22.records import Clip, DecodingOptions, Origin, Samples, Window
from quest22.settings import AudioSettings, EngineSettings

pytestmark = [pytest.mark.weights, pytest.mark.slow, pytest.mark.reference]

NAMES = ("tiny.en", "base")
TOKENS = 60


@pytest.fixture(scope="module")
def sounds() -> list[Samples]:
    """The beginnings of six sample clips, English and Russian."""
    found = []
    for path in sample_files():
        for row in pq.read_table(path).to_pylist()[:2]:
            clip = Clip("a", "a", row["audio"]["bytes"], Origin("samples"))
            blocks = MediaDecoder(AudioSettings(), Metrics()).decode(clip).blocks
            found.append(np.concatenate(list(blocks))[:480_000])
    return found


def decoded(checkpoint: Checkpoint, sounds: list[Samples]) -> list[list[int]]:
    settings = EngineSettings(compute_type="float32", batch_size=len(sounds))
    features = LogMel(checkpoint.dimensions.mel_bins)
    engine = build_engine(checkpoint, features, settings, Metrics())
    language = "en" if not checkpoint.tokens.is_multilingual else None
    options = DecodingOptions(language, max_new_tokens=TOKENS)
    windows = [Window(sound, 0.0, options) for sound in sounds]
    return [list(each.tokens) for each in engine.run(windows)]


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_those_of_ctranslate2(
    name: str, real_weights: dict[str, Path], sounds: list[Samples]
) -> None:
    ctranslate2 = pytest.importorskip("ctranslate2")
    folder = real_weights[name]
    checkpoint = load(str(folder))
    theirs = ctranslate2.models.Whisper(str(folder), compute_type="float32", intra_threads=2)
    mel = LogMel(checkpoint.dimensions.mel_bins)
    features = ctranslate2.StorageView.from_array(
        np.ascontiguousarray(np.stack([mel(sound) for sound in sounds]))
    )
    if checkpoint.tokens.is_multilingual:
        languages = [found[0][0][2:-2] for found in theirs.detect_language(features)]
    else:
        languages = ["en"] * len(sounds)
    prompts = [
        checkpoint.tokens.initial_tokens(
            code if checkpoint.tokens.is_multilingual else None, timestamps=False
        )
        for code in languages
    ]
    expected = [
        found.sequences_ids[0][:TOKENS]
        for found in theirs.generate(
            features, [list(each) for each in prompts], beam_size=1, max_length=TOKENS + 8
        )
    ]
    ours = decoded(checkpoint, sounds)
    shortest = [min(len(a), len(b)) for a, b in zip(ours, expected, strict=True)]
    assert [a[:n] for a, n in zip(ours, shortest, strict=True)] == [
        b[:n] for b, n in zip(expected, shortest, strict=True)
    ]
    assert sum(map(len, ours)) > 100
