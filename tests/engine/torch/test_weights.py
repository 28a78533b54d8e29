from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from quest22.bench.random_checkpoint import SHAPES, write_checkpoint
from quest22.checkpoint.formats.safetensors import Tensor, to_bytes, write_safetensors
from quest22.checkpoint.load import load
from quest22.engine.torch.device import Placement
from quest22.engine.torch.weights import ModelWeights, read_weights
from quest22.errors import EngineError

SHAPE = SHAPES["small-test"]


def read(folder: Path, dtype: torch.dtype = torch.float32) -> ModelWeights:
    found = load(str(folder))
    return read_weights(found.weights, found.dimensions, Placement(torch.device("cpu"), dtype))


@pytest.mark.parametrize("stored", ["F64", "F32", "F16", "BF16"])
def test_every_stored_type_is_read_as_it_is(tmp_path: Path, stored: str) -> None:
    folder = write_checkpoint(tmp_path, SHAPE, dtype=stored)
    weights, source = read(folder), load(str(folder)).weights
    block, name = weights.decoder[1], "decoder.layers.1"
    keys = block.cross.key_value.weight[: SHAPE.d_model]
    assert np.array_equal(keys.numpy(), source[f"{name}.encoder_attn.k_proj.weight"])
    bias = block.cross.key_value.bias
    assert bias is not None
    assert not bias[: SHAPE.d_model].any()  # keys have none
    assert np.array_equal(bias[SHAPE.d_model :].numpy(), source[f"{name}.encoder_attn.v_proj.bias"])
    norm = weights.encoder[0].feed_forward.norm.weight
    assert np.array_equal(norm.numpy(), source["encoder.layers.0.final_layer_norm.weight"])


def test_norms_positions_and_logits_stay_in_float32(tmp_path: Path) -> None:
    weights = read(write_checkpoint(tmp_path, SHAPE), torch.bfloat16)
    assert weights.embedding.dtype == weights.encoder[0].attention.qkv.weight.dtype
    assert weights.embedding.dtype == torch.bfloat16
    for exact in (weights.decoder_norm.weight, weights.decoder_positions, weights.output):
        assert exact.dtype == torch.float32


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    folder = write_checkpoint(tmp_path, SHAPE)
    source = load(str(folder)).weights
    tensors = []
    for name in source:
        values = np.array(source[name])
        if name == "encoder.layers.1.fc2.weight":
            values[3, 4] = value
        if name != "proj_out.weight":
            tensors.append(
                Tensor(f"model.{name}", "F32", values.shape, lambda v=values: to_bytes(v, "F32"))
            )
    write_safetensors(folder / "changed", tensors)
    (folder / "changed").rename(folder / "model.safetensors")
    with pytest.raises(EngineError, match="not finite: download the model again"):
        read(folder)
