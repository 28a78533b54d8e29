"""The encoder in machine code beside the same encoder as a graph, in float32 on OpenVINO."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quest22.engine.backend import Features
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.native import encoder
from quest22.engine.native.encoder import NativeEncoder, NativeEncoderRunner
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.encoder import GraphEncoderRunner, build_encoder
from quest22.errors import EngineError
from quest22.native import library
from tests.engine.native.conftest import SETS, Model, opened

ABLE = [name for name in SETS if library.has_encoder(opened(name))]
WINDOWS = 3
FRAMES = (1500, 640, 77)
"""Of each window: all, a multiple of everything, an odd number."""
ERROR_LIMIT = {False: 0.01, True: 0.03}
"""Of bfloat16 and int8: root mean square over the deviation."""

pytestmark = pytest.mark.skipif(not ABLE, reason="no native library that multiplies bfloat16")

Open = Callable[..., NativeEncoder]


@pytest.fixture(params=ABLE)
def open_encoder(
    request: pytest.FixtureRequest, model: Model, monkeypatch: pytest.MonkeyPatch
) -> Open:
    def open_native(threads: int = 2, *, int8: bool = False) -> NativeEncoder:
        monkeypatch.setattr(encoder, "open_library", lambda: opened(request.param))
        monkeypatch.setattr(encoder, "processor_flags", list)
        found = NativeEncoder.open(*model, "bf16", threads, int8=int8)
        assert found is not None
        return found

    return open_native


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


@pytest.mark.parametrize("int8", [False, True])
def test_it_gives_what_the_graph_gives(open_encoder: Open, model: Model, int8: bool) -> None:
    weights, dims = model
    compiler = Compiler.open("cpu", "float32", None)
    graph = compiler.compile(build_encoder(weights, dims, "f32"))
    right, found = CrossKVCache(dims, WINDOWS, "f32"), CrossKVCache(dims, WINDOWS, "bf16")
    for runner in (
        GraphEncoderRunner(lambda *_: graph, right, 1),
        NativeEncoderRunner(open_encoder(int8=int8), found, 2),
    ):
        runner.begin_batch(WINDOWS)
        for row, each in enumerate(features(model)):
            runner.wait_for_slot()
            runner.submit(row, each)
        runner.wait()
    for row in range(WINDOWS):
        for (name, expected), given in zip(
            numbers(right, row).items(), numbers(found, row).values(), strict=True
        ):
            assert FRAMES[row] in given.shape
            error = np.sqrt(np.mean((given - expected) ** 2)) / expected.std()
            assert error < ERROR_LIMIT[int8], name


@pytest.mark.parametrize("int8", [False, True])
def test_nothing_depends_on_neighbours_or_threads(
    open_encoder: Open, model: Model, int8: bool
) -> None:
    """To the last bit: so a run that was cut continues with the same results."""
    sounds = dict(enumerate(features(model)))
    together = CrossKVCache(model[1], WINDOWS, "bf16")
    open_encoder(threads=3, int8=int8).encode(sounds, together)
    single = open_encoder(threads=1, int8=int8)
    for row, sound in sounds.items():
        alone = CrossKVCache(model[1], 1, "bf16")
        single.encode({0: sound}, alone)
        for (name, expected), given in zip(
            numbers(together, row).items(), numbers(alone, 0).values(), strict=True
        ):
            assert np.array_equal(given, expected), name


def test_features_of_another_shape_are_refused(open_encoder: Open, model: Model) -> None:
    with pytest.raises(EngineError, match=r"features are \(80, 2999\)"):
        open_encoder().encode(
            {0: np.zeros((80, 2999), np.float32)}, CrossKVCache(model[1], 1, "bf16")
        )


@pytest.mark.parametrize(("element", "flags"), [("f32", []), ("bf16", ["amx_bf16"])])
def test_where_the_graph_is_faster_there_is_none(
    model: Model, monkeypatch: pytest.MonkeyPatch, element: str, flags: list[str]
) -> None:
    monkeypatch.setattr(encoder, "open_library", lambda: opened(ABLE[0]))
    monkeypatch.setattr(encoder, "processor_flags", lambda: flags)
    assert NativeEncoder.open(*model, element, 1) is None
