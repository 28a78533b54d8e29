"""Weights of the last layer that few inputs would make coarse for all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from quest22.bench.random_checkpoint import Shape, write_checkpoint
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights
from quest22.engine.native import decoder_network
from quest22.engine.native.balance import balance_of
from quest22.engine.native.decoder_network import Formats, NativeDecoderNetwork
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.decoder import GraphDecoderNetwork, build_decoder
from tests.engine.native.conftest import SETS, Model, opened
from tests.engine.native.test_decoder_network import WIDTH, WINDOWS, heard, states, walk

EMBEDDING, NORM = "model.decoder.embed_tokens.weight", "model.decoder.layer_norm.weight"
OUTLIER, SILENT = 5, 7


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """One input of the last layer has weights thirty times as large as all others', one none."""
    folder: Path = write_checkpoint(tmp_path_factory.mktemp("balance"), Shape(128, 2, 1, 1))
    file = folder / "model.safetensors"
    tensors = {name: values.astype(np.float32) for name, values in load_file(file).items()}
    tensors[EMBEDDING][:, OUTLIER] *= 30
    tensors[NORM][OUTLIER] /= 30
    tensors[EMBEDDING][:, SILENT] = 0
    save_file(tensors, file)
    return Weights.open(folder), Dimensions.read(folder)


def test_the_largest_weight_of_each_input(model: Model) -> None:
    weights, _ = model
    embedding = weights["decoder.embed_tokens.weight"]
    balance = balance_of(weights, "decoder.embed_tokens")
    assert balance[SILENT] == 1
    rest = np.arange(len(balance)) != SILENT
    assert np.array_equal(balance[rest], np.abs(embedding).max(0)[rest])


@pytest.mark.skipif(not SETS, reason="no native library: it needs a C compiler")
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    ("formats", "limit"),
    [
        (Formats("f32", int16_weights=True), 0.01),
        (Formats("f32", int8_weights=True), 0.02),
    ],
    ids=["int16", "int8"],
)
def test_an_outlier_costs_no_other_input_its_bits(
    monkeypatch: pytest.MonkeyPatch, model: Model, name: str, formats: Formats, limit: float
) -> None:
    graph = GraphDecoderNetwork(
        Compiler.open("cpu", "float32", None).compile(build_decoder(*model, "f32")), "f32"
    )
    expected = walk(graph, states(model[1], "f32"), WINDOWS, WIDTH)
    monkeypatch.setattr(decoder_network, "open_library", lambda: opened(name))
    network = NativeDecoderNetwork.open(*model, formats, 2)
    assert network is not None
    found = walk(network, heard(network, model[1], "f32"), WINDOWS, WIDTH)
    for right, logits in zip(expected, found, strict=True):
        error = float(np.sqrt(np.mean((logits - right) ** 2)) / right.std())
        assert error < limit
