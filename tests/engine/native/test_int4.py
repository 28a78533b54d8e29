"""Weights in int4, whose groups of inputs have to be whole, in the decoder and the encoder."""

from __future__ import annotations

import numpy as np
import pytest

from quest22.bench.random_checkpoint import Shape, write_checkpoint
from quest22.checkpoint.config import Dimensions
from quest22.checkpoint.weights import Weights
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.native import decoder_network, encoder
from quest22.engine.native.decoder_network import Formats, NativeDecoderNetwork
from quest22.engine.native.encoder import NativeEncoder
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.decoder import GraphDecoderNetwork, build_decoder
from quest22.engine.openvino.encoder import GraphEncoderRunner, build_encoder
from quest22.engine.precision import Element, Precision
from quest22.errors import EngineError
from quest22.native import library
from tests.engine.native.conftest import SETS, Model, opened
from tests.engine.native.test_decoder_network import WIDTH, WINDOWS, heard, states, walk
from tests.engine.native.test_encoder import numbers

CASES = [
    (name, rows)
    for name in SETS
    for rows in ("f32", "bf16")
    if rows == "f32" or name.endswith("bf16")
]
FRAMES = (1500, 77)
ERROR_LIMIT = 0.35
"""Of random weights; root mean square over the deviation."""

pytestmark = pytest.mark.skipif(not SETS, reason="no native library: it needs a C compiler")


@pytest.fixture(scope="module", params=[Shape(96, 3, 2, 2), Shape(128, 2, 2, 1)])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = write_checkpoint(tmp_path_factory.mktemp("int4"), request.param)
    return Weights.open(folder), Dimensions.read(folder)


def open_decoder(
    monkeypatch: pytest.MonkeyPatch, model: Model, name: str, rows: str, threads: int = 2
) -> NativeDecoderNetwork:
    monkeypatch.setattr(decoder_network, "open_library", lambda: opened(name))
    formats = Formats(rows, int4_weights=True, int8_kv=True)
    network = NativeDecoderNetwork.open(*model, formats, threads)
    assert network is not None
    return network


@pytest.mark.parametrize(("name", "rows"), CASES)
def test_logits_are_near_those_of_float32(
    monkeypatch: pytest.MonkeyPatch, model: Model, name: str, rows: str
) -> None:
    network = open_decoder(monkeypatch, model, name, rows)
    graph = GraphDecoderNetwork(
        Compiler.open("cpu", "float32", None).compile(build_decoder(*model, "f32")), "f32"
    )
    expected = walk(graph, states(model[1], "f32"), WINDOWS, WIDTH)
    found = walk(network, heard(network, model[1], rows), WINDOWS, WIDTH)
    for right, logits in zip(expected, found, strict=True):
        assert _error(logits, right) < ERROR_LIMIT


@pytest.mark.parametrize(("name", "rows"), CASES)
def test_no_bit_depends_on_neighbours_or_threads(
    monkeypatch: pytest.MonkeyPatch, model: Model, name: str, rows: str
) -> None:
    network = open_decoder(monkeypatch, model, name, rows, threads=3)
    sound, beams = heard(network, model[1], rows), np.arange(20, dtype=np.int32)
    network.begin(sound, [0], 20)
    tokens = np.arange(40, dtype=np.int32).reshape(20, 2)
    together = network.step(tokens, 0, beams, [1]).copy()
    single = open_decoder(monkeypatch, model, name, rows, threads=1)
    single.begin(sound, [0], 1)
    for row, asked in enumerate(tokens):
        assert np.array_equal(single.step(asked[None], 0, beams[:1], [1])[0], together[row])


@pytest.mark.parametrize("name", SETS)
def test_the_encoder(monkeypatch: pytest.MonkeyPatch, model: Model, name: str) -> None:
    """Near the graph in float32, and to the last bit the same alone as together."""
    weights, dims = model
    monkeypatch.setattr(encoder, "open_library", lambda: opened(name))
    element: Element = "bf16" if "bf16" in library.elements(opened(name)) else "f32"
    in_c = [
        NativeEncoder.open(
            weights, dims, Precision(element, int16=element == "f32", int4=True), threads
        )
        for threads in (1, 3)
    ]
    graph = Compiler.open("cpu", "float32", None).compile(build_encoder(weights, dims, "f32"))
    rng = np.random.default_rng(0)
    sounds = [rng.standard_normal((dims.mel_bins, 2 * each), np.float32) for each in FRAMES]
    together, right = (CrossKVCache(dims, len(FRAMES), each) for each in (element, "f32"))
    runner = GraphEncoderRunner(lambda *_: graph, right, 1)
    runner.begin_batch(len(FRAMES))
    for row, sound in enumerate(sounds):
        runner.submit(row, sound)
        runner.wait()
    assert in_c[0] is not None
    assert in_c[1] is not None
    in_c[1].encode(dict(enumerate(sounds)), together)
    for row, sound in enumerate(sounds):
        alone = CrossKVCache(dims, 1, element)
        in_c[0].encode({0: sound}, alone)
        found, expected = numbers(together, row), numbers(right, row)
        for part, values in numbers(alone, 0).items():
            assert np.array_equal(values, found[part])
            assert _error(values, expected[part]) < ERROR_LIMIT


def test_parts_of_groups_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = write_checkpoint(tmp_path_factory.mktemp("odd"), Shape(72, 3, 1, 1))
    with pytest.raises(EngineError, match="no code for this size or format"):
        open_decoder(monkeypatch, (Weights.open(folder), Dimensions.read(folder)), SETS[0], "f32")


def _error(found: np.ndarray, right: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - right) ** 2)) / right.std())
