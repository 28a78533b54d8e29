from __future__ import annotations

import numpy as np
import openvino as ov
import pytest

from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.decoder import (
    GraphDecoderNetwork,
    build_decoder,
    causal_mask,
    tensors,
)
from quest22.engine.openvino.encoder import build_encoder
from tests.engine.conftest import OpenCheckpoint


def shape(output: ov.Output) -> list[int]:
    """Sizes, with -1 for what may be any."""
    return [size.get_length() if size.is_static else -1 for size in output.partial_shape]


@pytest.mark.parametrize(
    ("element", "kind"), [("f32", ov.Type.f32), ("bf16", ov.Type.bf16), ("f16", ov.Type.f16)]
)
def test_encoder_outputs_are_the_decoders_inputs(
    checkpoint: OpenCheckpoint, element: str, kind: ov.Type
) -> None:
    opened = checkpoint("small-test")
    dims = opened.dimensions
    encoder = build_encoder(opened.weights, dims, element, frames=1500)
    decoder = build_decoder(opened.weights, dims, element)
    assert shape(encoder.input("features")) == [1, dims.mel_bins, 3000]
    outputs = {output.any_name: output for output in encoder.outputs}
    assert len(outputs) == 2 * dims.decoder_layers
    heads, size = dims.decoder_heads, dims.d_model // dims.decoder_heads
    for layer in range(dims.decoder_layers):
        for name, last in (
            (f"cross_key_{layer}", [1500, size]),
            (f"cross_value_{layer}", [size, 1500]),
        ):
            assert shape(outputs[name]) == [1, heads, *last]
            assert shape(decoder.input(name)) == [-1, heads, *last]
            assert outputs[name].element_type == decoder.input(name).element_type == kind
    assert decoder.output("logits").element_type == ov.Type.f32
    assert shape(decoder.output("logits"))[-1] == dims.vocab_size


def test_the_cache_holds_the_same_memory(checkpoint: OpenCheckpoint) -> None:
    cross_kv = CrossKVCache(checkpoint("small-test").dimensions, 2, "bf16")
    views = cross_kv.views(slice(0, 2))
    for name, tensor in tensors(views).items():
        assert tensor.element_type == ov.Type.bf16
        assert tensor.data.ctypes.data == views[name].ctypes.data


def test_the_mask_hides_later_tokens_and_forgotten_ones() -> None:
    mask = causal_mask(np.array([True, False]), 3, 2)
    assert mask.shape == (2, 1, 3, 5)
    assert np.array_equal(mask[0], mask[1])
    assert [[value == 0 for value in row] for row in mask[0, 0].tolist()] == [
        [True, False, True, False, False],
        [True, False, True, True, False],
        [True, False, True, True, True],
    ]


def test_steps_give_what_one_call_gives(checkpoint: OpenCheckpoint) -> None:
    opened = checkpoint("small-test")
    dims = opened.dimensions
    graph = Compiler.open("cpu", "float32", 1).compile(build_decoder(opened.weights, dims, "f32"))
    cross_kv = CrossKVCache(dims, 2, "f32")
    rng = np.random.default_rng(0)
    for view in cross_kv.views(slice(0, 2)).values():
        view[...] = rng.standard_normal(view.shape)
    network = GraphDecoderNetwork(graph, "f32")
    tokens = rng.integers(0, 100, (2, 4)).astype(np.int32)
    beams = np.arange(2, dtype=np.int32)
    network.begin(cross_kv, [0, 1], 1)
    at_once = network.step(tokens, 0, beams, [0, 1, 2, 3]).copy()
    assert at_once.shape == (2, 4, dims.vocab_size)
    network.begin(cross_kv, [0, 1], 1)
    for position in range(4):
        step = network.step(tokens[:, position : position + 1], position, beams, [0])
        assert np.allclose(step[:, 0], at_once[:, position], atol=1e-4)
