from __future__ import annotations

import numpy as np
import pytest

from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.native import decoder_network as decoder
from quest22.engine.native.decoder_network import Formats, NativeDecoderNetwork
from quest22.engine.native.encoder import QuantizingEncoderRunner
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.encoder import GraphEncoderRunner, build_encoder
from tests.engine.native.conftest import SETS, Model, opened

WINDOWS = 5

pytestmark = pytest.mark.skipif(not SETS, reason="no native library: it needs a C compiler")


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("name", SETS)
def test_what_is_rounded_is_what_was_heard(
    model: Model, monkeypatch: pytest.MonkeyPatch, name: str, at_once: int
) -> None:
    weights, dims = model
    monkeypatch.setattr(decoder, "open_library", lambda: opened(name))
    network = NativeDecoderNetwork.open(weights, dims, Formats("f32", int8_kv=True), 2)
    assert network is not None
    compiler, model_graph = Compiler.open("cpu", "float32", 2), build_encoder(weights, dims, "f32")
    graph = compiler.compile(model_graph, at_once)
    heard, sound = CrossKVCache(dims, WINDOWS, "f32"), CrossKVCache(dims, at_once, "f32")
    rounded = CrossKVCache(dims, WINDOWS, "i8")
    inner = GraphEncoderRunner(lambda *_: graph, sound, at_once)
    rng = np.random.default_rng(0)
    shape = WINDOWS, dims.mel_bins, 2 * dims.max_source_positions
    features = rng.standard_normal(shape).astype(np.float32)
    for runner in (
        GraphEncoderRunner(lambda *_: graph, heard, 1),
        QuantizingEncoderRunner(inner, sound, network, rounded, at_once),
    ):
        runner.begin_batch(WINDOWS)
        runner.submit(3, features[0])
        runner.begin_batch(WINDOWS)  # the batch before has failed
        for row, each in enumerate(features):
            runner.wait_for_slot()
            runner.submit(row, each)
        runner.wait()
    exact, kept = (states.views(slice(0, WINDOWS)) for states in (heard, rounded))
    for layer in range(dims.decoder_layers):
        for part, frames in (("key", 2), ("value", 3)):
            floats = exact[f"cross_{part}_{layer}"]
            scales = kept[f"cross_{part}_scale_{layer}"]
            assert np.allclose(scales, np.abs(floats).max(axis=frames, keepdims=True) / 127)
            error = np.abs(kept[f"cross_{part}_{layer}"] * scales - floats)
            assert (error <= scales * 0.501).all()
