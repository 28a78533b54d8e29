"""The encoder in machine code beside the same encoder as a graph, in float32 on OpenVINO."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quest22.engine.backend import Features
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.native import encoder
from quest22.engine.native.encoder import NativeEncoder, NativeEncoderRunner
from quest22.engine.native.weights import INT8, INT16
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.encoder import GraphEncoderRunner, build_encoder
from quest22.engine.precision import Element, Precision
from quest22.errors import EngineError
from quest22.native import library
from tests.engine.native.conftest import SETS, Model, opened

CASES = [
    (name, products)
    for name in SETS
    for products in (
        *sorted(library.elements(opened(name)) - {"f32"}),
        *(["i16 i8"] if "i16" in library.elements(opened(name)) else []),
    )
]
"""What the encoder multiplies in each library, and the format of its weights if it is another."""
WINDOWS = 3
FRAMES = (1500, 640, 77)
"""Of each window: all, a multiple of everything, an odd number."""
ERROR_LIMIT = {
    "bf16": 0.01,
    "i8": 0.03,
    "i16": 0.003,
    "i16 i8": 0.03,
}
"""Root mean square over the deviation."""

pytestmark = pytest.mark.skipif(not SETS, reason="no native library: it needs a C compiler")

Open = Callable[..., NativeEncoder]


@pytest.fixture
def open_encoder(model: Model, monkeypatch: pytest.MonkeyPatch) -> Open:
    def open_native(name: str, products: str, threads: int = 2) -> NativeEncoder:
        monkeypatch.setattr(encoder, "open_library", lambda: opened(name))
        monkeypatch.setattr(encoder, "processor_flags", list)
        element = output(name)
        precision = Precision(element, int8=products.endswith("i8"), int16=element == "f32")
        if products == "i16 i8":  # as where the processor has no products of int8
            monkeypatch.setattr(encoder, "_products_and_weights", lambda _: [(INT16, INT8)])
        found = NativeEncoder.open(*model, precision, threads)
        assert found is not None
        return found

    return open_native


def output(name: str) -> Element:
    """The element of the keys and values that a library's encoder gives."""
    return "bf16" if "bf16" in library.elements(opened(name)) else "f32"


def features(model: Model) -> list[Features]:
    """Of random windows."""
    rng, bins = np.random.default_rng(0), model[1].mel_bins
    return [rng.standard_normal((bins, 2 * count)).astype(np.float32) for count in FRAMES]


def numbers(states: CrossKVCache, row: int) -> dict[str, Features]:
    """What a row holds, in float32."""
    views = states.row_views(row).items()
    return {
        name: (view.astype(np.uint32) << 16).view(np.float32)
        if view.dtype == np.uint16
        else np.array(view, np.float32)
        for name, view in views
    }


@pytest.mark.parametrize(("name", "products"), CASES)
def test_it_gives_what_the_graph_gives(
    open_encoder: Open, model: Model, name: str, products: str
) -> None:
    weights, dims = model
    compiler = Compiler.open("cpu", "float32", None)
    graph = compiler.compile(build_encoder(weights, dims, "f32"))
    right = CrossKVCache(dims, WINDOWS, "f32")
    found = CrossKVCache(dims, WINDOWS, output(name))
    for runner in (
        GraphEncoderRunner(lambda *_: graph, right, 1),
        NativeEncoderRunner(open_encoder(name, products), found, 2),
    ):
        runner.begin_batch(WINDOWS)
        for row, each in enumerate(features(model)):
            runner.wait_for_slot()
            runner.submit(row, each)
        runner.wait()
    for row in range(WINDOWS):
        for (part, expected), given in zip(
            numbers(right, row).items(), numbers(found, row).values(), strict=True
        ):
            assert FRAMES[row] in given.shape
            error = np.sqrt(np.mean((given - expected) ** 2)) / expected.std()
            assert error < ERROR_LIMIT[products], part


@pytest.mark.parametrize(("name", "products"), CASES)
def test_nothing_depends_on_neighbours_or_threads(
    open_encoder: Open, model: Model, name: str, products: str
) -> None:
    """To the last bit: so a run that was cut continues with the same results."""
    sounds = dict(enumerate(features(model)))
    together = CrossKVCache(model[1], WINDOWS, output(name))
    open_encoder(name, products, threads=3).encode(sounds, together)
    single = open_encoder(name, products, threads=1)
    for row, sound in sounds.items():
        alone = CrossKVCache(model[1], 1, output(name))
        single.encode({0: sound}, alone)
        for (part, expected), given in zip(
            numbers(together, row).items(), numbers(alone, 0).values(), strict=True
        ):
            assert np.array_equal(given, expected), part


@pytest.mark.parametrize(("name", "products"), CASES)
def test_loud_channels_cost_the_others_little(
    open_encoder: Open, model: Model, name: str, products: str
) -> None:
    """Features of one mel bin are a hundred times the others', as integers share a scale."""
    weights, dims = model
    sound = features(model)[2]
    sound[7] *= 100
    graph = Compiler.open("cpu", "float32", None).compile(build_encoder(weights, dims, "f32"))
    right, found = CrossKVCache(dims, 1, "f32"), CrossKVCache(dims, 1, output(name))
    runner = GraphEncoderRunner(lambda *_: graph, right, 1)
    runner.begin_batch(1)
    runner.submit(0, sound)
    runner.wait()
    open_encoder(name, products).encode({0: sound}, found)
    for (part, expected), given in zip(
        numbers(right, 0).items(), numbers(found, 0).values(), strict=True
    ):
        error = np.sqrt(np.mean((given - expected) ** 2)) / expected.std()
        assert error < 2 * ERROR_LIMIT[products], part


@pytest.mark.parametrize(("name", "products"), CASES)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_stays_so(
    open_encoder: Open, model: Model, name: str, products: str, wrong: float
) -> None:
    """Integers know no NaN: their scales carry it."""
    sound, found = features(model)[2], CrossKVCache(model[1], 1, output(name))
    sound[0, 30] = wrong
    open_encoder(name, products).encode({0: sound}, found)
    assert all(np.isnan(given).any() for given in numbers(found, 0).values())


@pytest.mark.parametrize(("name", "products"), CASES)
def test_features_of_another_shape_are_refused(
    open_encoder: Open, model: Model, name: str, products: str
) -> None:
    with pytest.raises(EngineError, match=r"features are \(80, 2999\)"):
        open_encoder(name, products).encode(
            {0: np.zeros((80, 2999), np.float32)}, CrossKVCache(model[1], 1, output(name))
        )


@pytest.mark.parametrize(("element", "flags"), [("f32", []), ("bf16", ["amx_bf16"])])
def test_where_the_graph_is_faster_there_is_none(
    model: Model, monkeypatch: pytest.MonkeyPatch, element: Element, flags: list[str]
) -> None:
    monkeypatch.setattr(encoder, "open_library", lambda: opened(SETS[0]))
    monkeypatch.setattr(encoder, "processor_flags", lambda: flags)
    assert NativeEncoder.open(*model, Precision(element), 1) is None
