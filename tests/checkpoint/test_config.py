from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.bench.random_checkpoint import SHAPES, generation_config, model_config
from quest22.checkpoint.config import Dimensions, GenerationConfig
from quest22.errors import CheckpointError

TINY = model_config(SHAPES["tiny"])
MANNERS = generation_config(SHAPES["tiny"])


def write(folder: Path, model: object, generation: object = None) -> Path:
    (folder / "config.json").write_text(json.dumps(model))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


@pytest.mark.parametrize("name", SHAPES)
def test_every_true_shape_is_read(tmp_path: Path, name: str) -> None:
    shape = SHAPES[name]
    found = Dimensions.read(write(tmp_path, model_config(shape)))
    assert (found.d_model, found.encoder_heads, found.decoder_heads) == (
        shape.d_model,
        shape.heads,
        shape.heads,
    )
    assert (found.encoder_layers, found.decoder_layers) == (
        shape.encoder_layers,
        shape.decoder_layers,
    )
    assert (found.mel_bins, found.vocab_size) == (shape.mel_bins, shape.vocab_size)
    assert (found.encoder_ffn, found.max_source_positions, found.max_target_positions) == (
        4 * shape.d_model,
        1500,
        448,
    )


FOREIGN: list[tuple[dict[str, Any], str]] = [
    ({"model_type": "wav2vec2"}, "model_type is 'wav2vec2', expected 'whisper'"),
    ({"model_type": None}, "expected 'whisper'"),
    ({"activation_function": "relu"}, "'relu', Whisper's is 'gelu'"),
    ({"scale_embedding": True}, "scale_embedding"),
    ({"quantization_config": {"quant_method": "fp8"}}, "the weights are quantised"),
    ({"encoder_layers": True}, "encoder_layers is True, expected a whole number"),
    ({"decoder_layers": 4.0}, r"decoder_layers is 4\.0, expected a whole number"),
    ({"max_source_positions": 3000}, "max_source_positions is 3000, expected 1500"),
    ({"d_model": 0}, "d_model is 0, expected a whole number from 1 to 8192"),
    ({"d_model": "384"}, "d_model is '384', expected a whole number"),
    ({"d_model": None}, "d_model is None"),
    ({"encoder_layers": 10**9}, "encoder_layers is 1000000000"),
    ({"vocab_size": -1}, "vocab_size is -1"),
    ({"decoder_attention_heads": 7}, "384 is not divisible by the 7 decoder_attention_heads"),
]


@pytest.mark.parametrize(("change", "message"), FOREIGN)
def test_a_model_that_would_compute_something_else_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        Dimensions.read(write(tmp_path, TINY | change))


def test_the_generation_settings_are_read(tmp_path: Path) -> None:
    found = GenerationConfig.read(write(tmp_path, TINY, MANNERS))
    assert found.eos_token_id == found.pad_token_id == 50257
    assert found.decoder_start_token_id == 50258
    assert found.begin_suppress_tokens == (220, 50257)
    assert found.suppress_tokens[:3] == (1, 2, 7)
    assert 50358 in found.suppress_tokens
    assert found.forced_decoder_ids == ((1, None), (2, 50359))
    assert found.alignment_heads == ((2, 0), (3, 0))
    assert found.lang_to_id["<|ru|>"] == 50263
    assert found.task_to_id == {"transcribe": 50359, "translate": 50358}
    assert (found.no_timestamps_token_id, found.prev_sot_token_id) == (50363, 50361)
    assert found.is_multilingual is True
    assert (found.max_initial_timestamp_index, found.max_length) == (50, 448)


def test_an_older_model_keeps_its_manners_in_the_model_s_config(tmp_path: Path) -> None:
    older = TINY | {
        "suppress_tokens": [1, 2],
        "begin_suppress_tokens": [220],
        "forced_decoder_ids": [[1, 50259], [2, 50359], [3, 50363]],
    }
    found = GenerationConfig.read(write(tmp_path, older))
    assert found.suppress_tokens == (1, 2)
    assert found.forced_decoder_ids == ((1, 50259), (2, 50359), (3, 50363))
    assert found.is_multilingual is None
    assert found.lang_to_id == {}


def test_generation_settings_decide_alone_but_for_the_basic_tokens(tmp_path: Path) -> None:
    model = TINY | {"suppress_tokens": [1, 2]}
    found = GenerationConfig.read(write(tmp_path, model, {"max_length": 225}))
    assert found.suppress_tokens == ()
    assert (found.max_length, found.eos_token_id) == (225, 50257)


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    found = GenerationConfig.read(write(tmp_path, {"eos_token_id": 50256}))
    assert (found.decoder_start_token_id, found.pad_token_id) == (50257, 50256)
    assert found.max_length == 448


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"eos_token_id": None}, "eos_token_id is missing"),
    ({"eos_token_id": [1, 2]}, r"eos_token_id is \[1, 2\], expected a token id"),
    ({"suppress_tokens": "1,2"}, "suppress_tokens is '1,2', expected a list of token ids"),
    ({"suppress_tokens": [1, -5]}, "suppress_tokens"),
    ({"alignment_heads": [[1]]}, "alignment_heads"),
    ({"forced_decoder_ids": [[None, 1]]}, "forced_decoder_ids"),
    ({"lang_to_id": ["en"]}, "lang_to_id"),
    ({"is_multilingual": "yes"}, "is_multilingual is 'yes', expected true or false"),
    ({"max_length": 0}, "max_length is 0"),
    ({"suppress_tokens": ["x" * 1000]}, r"\.\.\., expected"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_wrong_value_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        GenerationConfig.read(write(tmp_path, TINY, MANNERS | change))


@pytest.mark.parametrize("nothing", [None, [], [-1]])
def test_no_suppression_is_written_in_three_ways(tmp_path: Path, nothing: object) -> None:
    found = GenerationConfig.read(write(tmp_path, TINY, MANNERS | {"suppress_tokens": nothing}))
    assert found.suppress_tokens == ()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150)
@given(data=st.data())
def test_no_value_is_taken_for_what_it_is_not(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    model = TINY | {data.draw(st.sampled_from(sorted(TINY))): data.draw(VALUES)}
    manners = MANNERS | {data.draw(st.sampled_from(sorted(MANNERS))): data.draw(VALUES)}
    folder = write(tmp_path_factory.mktemp("config"), model, manners)
    for kind in (Dimensions, GenerationConfig):
        try:
            found = kind.read(folder)
        except CheckpointError:
            continue
        assert isinstance(found, kind)
