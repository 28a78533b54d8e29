from __future__ import annotations

import pytest

from quest22.bench.random_checkpoint import SHAPES, model_config
from quest22.checkpoint.known_models import EMBEDDED_MODELS, KNOWN_MODELS, language_count


def test_short_names_are_those_users_of_whisper_know() -> None:
    sizes = {"tiny", "base", "small", "medium"}
    assert sizes | {f"{size}.en" for size in sizes} <= KNOWN_MODELS.keys()
    assert {
        "large",
        "large-v1",
        "large-v2",
        "large-v3",
        "turbo",
        "large-v3-turbo",
    } <= KNOWN_MODELS.keys()
    assert KNOWN_MODELS["large"].hub_id == KNOWN_MODELS["large-v3"].hub_id
    assert KNOWN_MODELS["turbo"].hub_id == KNOWN_MODELS["large-v3-turbo"].hub_id
    assert not any(name in KNOWN_MODELS for name in EMBEDDED_MODELS)
    for name, model in KNOWN_MODELS.items():
        assert model.name == name
        assert model.multilingual is not (name.endswith(".en") or name.startswith("distil"))


@pytest.mark.parametrize("name", [name for name in SHAPES if name in KNOWN_MODELS])
def test_shapes_are_those_of_the_checkpoints(name: str) -> None:
    config, dims = model_config(SHAPES[name]), KNOWN_MODELS[name].dimensions
    assert (dims.d_model, dims.vocab_size) == (config["d_model"], config["vocab_size"])
    assert dims.encoder_layers == config["encoder_layers"]
    assert dims.decoder_layers == config["decoder_layers"]
    assert dims.encoder_heads == config["encoder_attention_heads"]
    assert dims.decoder_ffn == config["decoder_ffn_dim"]
    assert dims.mel_bins == config["num_mel_bins"]


def test_every_model_has_a_shape() -> None:
    for model in KNOWN_MODELS.values():
        assert model.dimensions.decoder_heads * 64 == model.dimensions.d_model


@pytest.mark.parametrize(
    ("name", "count"),
    [("tiny", 99), ("tiny.en", 1), ("large-v2", 99), ("turbo", 100), ("distil-large-v3", 1)],
)
def test_how_many_languages_a_model_writes(name: str, count: int) -> None:
    assert KNOWN_MODELS[name].languages == count


def test_a_vocabulary_tells_its_languages() -> None:
    assert [language_count(size) for size in (51864, 51865, 51866)] == [1, 99, 100]
