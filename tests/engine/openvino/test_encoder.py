from __future__ import annotations

import numpy as np
import pytest

from quest22.audio.log_mel import LogMel
from quest22.engine.cross_kv_cache import CrossKVCache
from quest22.engine.openvino.compiler import Compiler
from quest22.engine.openvino.encoder import GraphEncoderRunner, build_encoder
from tests.engine.conftest import OpenCheckpoint
from tests.support.numpy_encoder import cross_keys_and_values
from tests.support.windows import sweep


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16", "int8"])
def test_several_at_once_are_heard_as_one_after_another(
    checkpoint: OpenCheckpoint, compute_type: str
) -> None:
    found = checkpoint("small-test")
    dims, weights = found.dimensions, found.weights
    compiler = Compiler.open("cpu", compute_type, None)
    element, int8 = compiler.precision.activations, compiler.precision.int8
    opened: list[int] = []

    def encoder(streams: int, frames: int | None):
        opened.append(streams)
        return compiler.compile(build_encoder(weights, dims, element, int8, frames), streams)

    features = [LogMel(80)(sweep(number)) for number in range(5)]
    heard = []
    for streams in (1, 3):
        states = CrossKVCache(dims, 5, element)
        runner = GraphEncoderRunner(encoder, states, streams)
        for _ in range(2):  # requests are used again
            runner.begin_batch(5)
            for row, each in enumerate(features):
                runner.submit(row, each)
            runner.wait()
        heard.append({name: view.copy() for name, view in states.views(slice(0, 5)).items()})
    assert opened == [1, 3]
    for name, alone in heard[0].items():
        assert np.array_equal(alone, heard[1][name], equal_nan=True), name


def test_few_windows_have_all_cores(checkpoint: OpenCheckpoint) -> None:
    found = checkpoint("small-test")
    compiler = Compiler.open("cpu", "float32", None)
    opened: list[int] = []

    def encoder(streams: int, frames: int | None):
        opened.append(streams)
        return compiler.compile(
            build_encoder(found.weights, found.dimensions, "f32", frames=frames), streams
        )

    runner = GraphEncoderRunner(encoder, CrossKVCache(found.dimensions, 4, "f32"), 4)
    for windows in (4, 3, 1, 4):
        runner.begin_batch(windows)
        runner.submit(0, LogMel(80)(sweep(0)))
        runner.wait()
    assert opened == [4, 1]


def test_after_a_failure_the_next_batch_is_heard_alone(checkpoint: OpenCheckpoint) -> None:
    found = checkpoint("small-test")
    compiler = Compiler.open("cpu", "float32", None)

    def encoder(streams: int, frames: int | None):
        return compiler.compile(
            build_encoder(found.weights, found.dimensions, "f32", frames=frames), streams
        )

    states = CrossKVCache(found.dimensions, 2, "f32")
    runner = GraphEncoderRunner(encoder, states, 2)
    good = [LogMel(80)(sweep(number)) for number in range(2)]
    runner.begin_batch(2)
    for row, features in enumerate(good):
        runner.submit(row, features)
    runner.wait()
    right = {name: view.copy() for name, view in states.views(slice(0, 2)).items()}
    runner.begin_batch(2)
    runner.submit(0, good[1])
    with pytest.raises(RuntimeError):
        runner.submit(1, np.zeros((7, 5), np.float32))
    runner.begin_batch(2)
    for row, features in enumerate(good):
        runner.submit(row, features)
    runner.wait()
    for name, view in states.views(slice(0, 2)).items():
        assert np.array_equal(right[name], view), name


@pytest.mark.parametrize("frames", [77, 128])
def test_fewer_frames_are_encoded_as_numpy_does(checkpoint: OpenCheckpoint, frames: int) -> None:
    """Beside a window of all frames, in both orders; what NumPy is given is as short."""
    found = checkpoint("small-test")
    compiler, dims = Compiler.open("cpu", "float32", None), found.dimensions

    def encoder(streams: int, frames: int | None):
        graph = build_encoder(found.weights, dims, "f32", frames=frames)
        return compiler.compile(graph, streams)

    states = CrossKVCache(dims, 3, "f32")
    runner = GraphEncoderRunner(encoder, states, 2)
    whole = LogMel(80)(sweep(3))
    short = np.ascontiguousarray(whole[:, : 2 * frames])
    runner.begin_batch(3)
    for row, features in enumerate((short, whole, short)):
        runner.submit(row, features)
    runner.wait()
    assert states.frames.tolist() == [frames, 1500, frames]
    expected = cross_keys_and_values(found.weights, dims, short)
    for name, right in expected.items():
        for row in (0, 2):
            assert np.allclose(states.row_views(row)[name][0], right, atol=1e-4), name
