"""Whisper's real weights out of CTranslate2 files: the tokens that CTranslate2 itself gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.precision import equal_tokens
from quest22.audio.decode import MediaDecoder
from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import Checkpoint, load
from quest22.checkpoint.save import save
from quest22.demo.recordings import sample_files
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


def decoded(
    checkpoint: Checkpoint,
    sounds: list[Samples],
    language: str | None = None,
    compute_type: str = "float32",
) -> list[list[int]]:
    settings = EngineSettings(compute_type=compute_type, batch_size=len(sounds))
    features = LogMel(checkpoint.dimensions.mel_bins)
    engine = build_engine(checkpoint, features, settings, Metrics())
    language = language if checkpoint.tokens.is_multilingual else "en"
    options = DecodingOptions(language, max_new_tokens=TOKENS)
    windows = [Window(sound, 0.0, options) for sound in sounds]
    return [list(each.tokens) for each in engine.run(windows)]


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_those_of_ctranslate2(
    name: str, real_weights: dict[str, Path], sounds: list[Samples]
) -> None:
    ctranslate2 = pytest.importorskip("ctranslate2")
    folder = real_weights[name]
    if name == "base":  # one clip of each file: tiny.en hears both
        sounds = sounds[::2]
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
    assert sum(map(len, ours)) > 15 * len(sounds)


def transformers_tokens(folder: Path, sounds: list[Samples]) -> list[list[int]]:
    """What Transformers hears in float32, through all files of a folder; text tokens alone."""
    import torch
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    processor = WhisperProcessor.from_pretrained(folder)
    model = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    features = processor(sounds, sampling_rate=16_000, return_tensors="pt").input_features
    multilingual = model.generation_config.is_multilingual
    asked = {"language": "en", "task": "transcribe"} if multilingual else {}
    with torch.no_grad():
        found = model.generate(features, num_beams=1, max_new_tokens=TOKENS, **asked)
    end = model.generation_config.eos_token_id
    return [[token for token in each if token < end] for each in found.tolist()]


@pytest.mark.parametrize("name", NAMES)
def test_a_converted_folder_has_the_tokens_of_its_source_here_and_in_transformers(
    name: str, real_weights: dict[str, Path], sounds: list[Samples], tmp_path: Path
) -> None:
    pytest.importorskip("transformers")
    source = load(str(real_weights[name]))
    save(source, tmp_path / "new")
    expected = decoded(source, sounds[:3], "en")
    assert decoded(load(str(tmp_path / "new")), sounds[:3], "en") == expected
    assert transformers_tokens(tmp_path / "new", sounds[:3]) == expected
    assert sum(map(len, expected)) > 40


def test_most_tokens_stay_in_int8(real_weights: dict[str, Path], sounds: list[Samples]) -> None:
    checkpoint = load(str(real_weights["base"]))
    exact, found = (
        [tuple(each) for each in decoded(checkpoint, sounds, compute_type=compute_type)]
        for compute_type in ("float32", "int8")
    )
    assert equal_tokens(exact, found) > 0.8
