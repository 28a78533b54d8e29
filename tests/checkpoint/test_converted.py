"""Checkpoints of CTranslate2 and whisper.cpp give the tokens of the same weights as safetensors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from quest22.audio.log_mel import LogMel
from quest22.checkpoint.load import Checkpoint, load
from quest22.engine.build import build_engine
from quest22.errors import CheckpointError
from quest22.metrics import Metrics
from quest22.records import DecodingOptions, Window
from quest22.settings import EngineSettings
from tests.support.windows import sweep


def heard(checkpoint: Checkpoint) -> list[object]:
    settings = EngineSettings(compute_type="float32", batch_size=2)
    features = LogMel(checkpoint.dimensions.mel_bins)
    engine = build_engine(checkpoint, features, settings, Metrics())
    asked = DecodingOptions("en", max_new_tokens=30, timestamps=True)
    windows = [Window(sweep(number), 0.0, asked) for number in range(2)]
    return [(each.tokens, each.avg_logprob, each.no_speech_prob) for each in engine.run(windows)]


def test_a_ctranslate2_folder_is_the_same_checkpoint(nano: Checkpoint, ctranslate2: Path) -> None:
    found = load(str(ctranslate2))
    assert found.dimensions == nano.dimensions
    assert (found.tokens.sot, found.tokens.no_speech) == (nano.tokens.sot, nano.tokens.no_speech)
    assert found.tokens.languages == {
        code: token for code, token in nano.tokens.languages.items() if code != "yue"
    }
    assert found.generation.suppress_tokens == nano.generation.suppress_tokens
    assert found.generation.alignment_heads == nano.generation.alignment_heads
    assert heard(found) == heard(nano)


def test_a_vocabulary_alone_is_enough(nano: Checkpoint, ctranslate2: Path, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(ctranslate2, folder)
    (folder / "tokenizer.json").unlink()
    words = nano.tokens.tokenizer.get_vocab(with_added_tokens=True)
    ordered = sorted(words, key=words.__getitem__)
    (folder / "vocabulary.txt").write_text("\n".join(ordered), encoding="utf-8")
    text = "Hello, world — naïve привет\n42"
    assert load(str(folder)).tokens.encode(text) == nano.tokens.encode(text)
    (folder / "vocabulary.json").write_text(json.dumps(ordered), encoding="utf-8")
    (folder / "vocabulary.txt").unlink()
    assert load(str(folder)).tokens.encode(text) == nano.tokens.encode(text)
    (folder / "vocabulary.json").write_text(json.dumps(ordered[:100]), encoding="utf-8")
    with pytest.raises(CheckpointError, match="the vocabulary has 100 of 50257 tokens"):
        load(str(folder))


def test_a_ggml_file_is_the_same_checkpoint(nano: Checkpoint, ggml: Path) -> None:
    found = load(str(ggml))
    assert found.dimensions == nano.dimensions
    assert found.tokens.timestamp_begin == nano.tokens.timestamp_begin
    text = "Hello, world — naïve привет\n42"
    assert found.tokens.encode(text) == nano.tokens.encode(text)
    tokens = [*nano.tokens.encode(text), found.tokens.timestamp_begin + 7]
    assert found.tokens.decode(tokens) == nano.tokens.decode(tokens)
    for name in ("encoder.conv2.weight", "decoder.layers.0.encoder_attn.q_proj.weight"):
        np.testing.assert_array_equal(
            found.weights[name], nano.weights[name].astype(np.float16).astype(np.float32)
        )


def test_a_folder_of_ggml_files_is_told_apart(ggml: Path) -> None:
    with pytest.raises(CheckpointError, match=r"give the path of one, such as …/ggml-nano\.bin"):
        load(str(ggml.parent))
