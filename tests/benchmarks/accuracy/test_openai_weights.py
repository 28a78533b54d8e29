from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy.openai_weights import load, openai_name
from quest22.checkpoint.load import load as load_checkpoint
from tests.support.openai_whisper import OpenaiWhisper


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("encoder.conv1.weight", "encoder.conv1.weight"),
        ("encoder.layer_norm.bias", "encoder.ln_post.bias"),
        ("decoder.embed_positions.weight", "decoder.positional_embedding"),
        ("decoder.layers.3.encoder_attn.q_proj.weight", "decoder.blocks.3.cross_attn.query.weight"),
        ("decoder.layers.0.encoder_attn_layer_norm.bias", "decoder.blocks.0.cross_attn_ln.bias"),
        ("decoder.layers.0.final_layer_norm.bias", "decoder.blocks.0.mlp_ln.bias"),
    ],
)
def test_tensors_have_openais_names(name: str, expected: str) -> None:
    assert openai_name(name) == expected


@pytest.mark.reference
def test_openais_network_gets_the_weights_that_transformers_files_hold() -> None:
    expected = OpenaiWhisper(load_checkpoint("nano").folder).model.state_dict()
    found = load("nano").state_dict()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert np.array_equal(found[name].numpy(), tensor.numpy()), name
