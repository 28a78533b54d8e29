"""Wrong arguments of the Python classes: an error in one line, and the next right call works."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quest22.checkpoint.config import Dimensions
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.native import decoder_network as decoder
from quest22.engine.native import encoder
from quest22.engine.native.decoder_network import Formats, NativeDecoderNetwork
from quest22.engine.native.encoder import NativeEncoder
from quest22.engine.precision import Precision
from quest22.errors import EngineError
from tests.engine.native.conftest import SETS, Model, opened

WRONG = "the native library was given a wrong argument: quest22_"
ARRAY = "an array for the native library is "
NO_BEAMS = np.zeros(0, np.int32)

pytestmark = pytest.mark.skipif(not SETS, reason="no native library: it needs a C compiler")


@pytest.fixture(params=SETS)
def network(
    request: pytest.FixtureRequest, model: Model, monkeypatch: pytest.MonkeyPatch
) -> NativeDecoderNetwork:
    monkeypatch.setattr(decoder, "open_library", lambda: opened(request.param))
    network = NativeDecoderNetwork.open(*model, Formats("f32"), 1)
    assert network is not None
    return network


def _cache(dims: Dimensions, rows: int, element: str = "f32") -> CrossKVCache:
    made = CrossKVCache(dims, rows, element)
    for view in made.views(slice(0, rows)).values():
        view[...] = 0
    return made


BATCHES: list[tuple[Callable[[Dimensions], CrossKVCache], range, int, str]] = [
    (lambda dims: _cache(dims, 2), range(0), 1, WRONG + "decoder_begin"),
    (lambda dims: _cache(dims, 2), range(2), 0, WRONG + "decoder_begin"),
    (lambda dims: _cache(dims, 2), range(2), -1, WRONG + "decoder_begin"),
    (lambda dims: _cache(dims, 2), range(2), 2**31, "no code for this size"),
    (lambda dims: _cache(dims, 2, "bf16"), range(2), 1, ARRAY + "uint16"),
    (lambda dims: _cache(dims, 2, "i8"), range(2), 1, ARRAY + "int8"),
]


@pytest.mark.parametrize(("cache", "windows", "num_beams", "message"), BATCHES)
def test_batches(
    network: NativeDecoderNetwork,
    model: Model,
    cache: Callable[[Dimensions], CrossKVCache],
    windows: range,
    num_beams: int,
    message: str,
) -> None:
    with pytest.raises(EngineError, match=re.escape(message)):
        network.begin(cache(model[1]), windows, num_beams)
    network.begin(_cache(model[1], 2), range(2), 1)


STEPS = [
    # tokens, position, beams, logits after
    (np.zeros((3, 1), np.int32), 0, np.zeros(3, np.int32), [0], WRONG),  # more than have begun
    (np.zeros((2, 0), np.int32), 0, np.zeros(2, np.int32), [], WRONG),
    (np.zeros((0, 1), np.int32), 0, NO_BEAMS, [0], WRONG),
    (np.zeros((2, 1), np.int32), 1, np.zeros(2, np.int32), [0], WRONG),  # nothing was fed before
    (np.zeros((2, 1), np.int32), -1, np.zeros(2, np.int32), [0], "1 tokens at position -1"),
    (np.zeros((2, 3), np.int32), 446, np.zeros(2, np.int32), [0], "3 tokens at position 446"),
    (np.zeros((2, 1), np.int32), 0, np.zeros(2, np.int32), [1], WRONG),
    (np.zeros((2, 1), np.int32), 0, np.zeros(2, np.int32), [-1], WRONG),
    (np.zeros((2, 1), np.int32), 0, np.zeros(2, np.int32), [0, 0], WRONG),
    (np.zeros((2, 1), np.int32), 0, np.zeros(1, np.int32), [0], ARRAY + "int32 (1,)"),
    (np.zeros((2, 1), np.int32), 0, np.zeros(2, np.int64), [0], ARRAY + "int64 (2,)"),
    (np.zeros((2, 1), np.int32), 0, np.zeros(4, np.int32)[::2], [0], ARRAY + "int32 (2,), not"),
]


@pytest.mark.parametrize(("step", "message"), [(step, message) for *step, message in STEPS])
def test_steps(
    network: NativeDecoderNetwork,
    model: Model,
    step: list[Any],
    message: str,
) -> None:
    network.begin(_cache(model[1], 2), range(2), 1)
    with pytest.raises(EngineError, match=re.escape(message)):
        network.step(*step)
    right = np.zeros((2, 1), np.int32)
    assert network.step(right, 0, np.zeros(2, np.int32), [0]).shape[:2] == (2, 1)
    with pytest.raises(EngineError, match=WRONG):
        network.step(right, 1, np.array([0, 2], np.int32), [0])  # a sequence that there was not


def test_kept_scores(network: NativeDecoderNetwork, model: Model) -> None:
    dims = model[1]
    network.begin(_cache(dims, 2), range(2), 1)
    with pytest.raises(EngineError, match=WRONG + "decoder_keep_scores"):
        network.keep_scores(((0, 0),))  # of two sequences
    network.begin(_cache(dims, 2), [1], 1)
    for heads in [(), ((0, dims.decoder_heads),), ((0, 0), (-1, 0)), ((dims.decoder_layers, 0),)]:
        with pytest.raises(EngineError, match=WRONG + "decoder_keep_scores"):
            network.keep_scores(heads)
    assert network.keep_scores(((0, 0), (0, 0))).shape[0] == 2


def test_what_is_quantized(network: NativeDecoderNetwork, model: Model) -> None:
    floats, int8 = _cache(model[1], 1), _cache(model[1], 1, "i8")
    for given, kept, rows in [
        (_cache(model[1], 1, "bf16"), int8, [0]),
        (floats, floats, [0]),
    ]:
        with pytest.raises(EngineError, match=re.escape(ARRAY)):
            network.quantize(given, kept, rows)
    network.quantize(floats, int8, [0])


@pytest.mark.parametrize("name", SETS)
def test_encoders(name: str, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "open_library", lambda: opened(name))
    monkeypatch.setattr(encoder, "processor_flags", list)
    own, other = ("bf16", "f32") if name.endswith("bf16") else ("f32", "bf16")
    native = NativeEncoder.open(*model, Precision(own, int16=own == "f32"), 1)
    assert native is not None
    dims = model[1]
    features = np.zeros((dims.mel_bins, 2 * dims.max_source_positions), np.float32)
    for given, element, message in [
        ({}, own, WRONG + "encoder_run"),
        ({0: features}, other, ARRAY + {"f32": "float32", "bf16": "uint16"}[other] + " (1, "),
        ({0: features[:, :-1]}, own, "features are "),
        ({0: features[:, :0]}, own, "features are "),
        ({0: np.zeros((dims.mel_bins, features.shape[1] + 2))}, own, "features are "),
    ]:
        with pytest.raises(EngineError, match=re.escape(message)):
            native.encode(given, _cache(dims, 1, element))
    native.encode({0: features}, _cache(dims, 1, own))
    with pytest.raises(EngineError, match=WRONG + "decoder_step"):  # an encoder, not a decoder
        opened(name).quest22_decoder_step(native._handle, *[features.ctypes.data] * 6)


@pytest.mark.parametrize("threads", [0, -1, 2**40])
def test_threads(model: Model, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(decoder, "open_library", lambda: opened(SETS[0]))
    with pytest.raises(EngineError, match="quest22_decoder_open"):
        NativeDecoderNetwork.open(*model, Formats("f32"), threads)


@pytest.mark.parametrize("name", SETS)
def test_sums_of_int8_products_do_not_overflow(
    model: Model, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Attention that is equal everywhere, to values that are: 1500 products of 127 by 32767."""
    monkeypatch.setattr(decoder, "open_library", lambda: opened(name))
    weights, dims = model
    floats = _cache(dims, 1)
    for key, view in floats.views(slice(0, 1)).items():
        view[...] = float("value" in key)
    logits = []
    for int8 in (False, True):
        network = NativeDecoderNetwork.open(weights, dims, Formats("f32", int8_kv=int8), 1)
        assert network is not None
        cache = _cache(dims, 1, "i8") if int8 else floats
        if int8:
            network.quantize(floats, cache, [0])
        network.begin(cache, range(1), 1)
        beams = np.zeros(1, np.int32)
        logits.append(network.step(np.array([[5]], np.int32), 0, beams, [0]).copy())
    assert np.allclose(*logits, atol=1e-3)
