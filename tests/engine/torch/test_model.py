"""The layers alone: pieces give what one call gives, and formats are as exact as the CPU's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from quest22.audio.log_mel import LogMel
from quest22.engine.build_cpu import open_compiler
from quest22.engine.torch.cache import CrossKVPool, SelfKVCache
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.session import TorchSession
from quest22.errors import UsageError
from tests.engine.conftest import OpenCheckpoint
from tests.engine.openvino.test_parity import TEXT
from tests.engine.openvino.test_parity import logits as cpu_logits
from tests.engine.torch.conftest import OpenModel, opened
from tests.support.logit_errors import LOGIT_ERROR_LIMIT
from tests.support.whisper_reference import WhisperReference
from tests.support.windows import sweep


def logits(model: WhisperModel, features: NDArray[np.float32], *pieces: int) -> NDArray[np.float32]:
    """After each token of ``TEXT``, fed in pieces."""
    pool = CrossKVPool(model.dims, 1, model.placement)
    cache = SelfKVCache(model.dims, 1, model.placement)
    with torch.inference_mode():
        model.encode(torch.from_numpy(features[None]), pool, slice(0, 1))
        session = TorchSession(model, pool, cache)
        session.restart([0])
        found, position = [], 0
        for size in pieces:
            tokens = np.array([TEXT[position : position + size]], np.int32)
            found.append(session.step(tokens, range(size))[0].copy())
            position += size
    return np.concatenate(found)


def error(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Root mean square error over the standard deviation."""
    return float(np.sqrt(np.mean((found - expected) ** 2)) / expected.std())


def test_pieces_give_what_one_call_gives(model: OpenModel) -> None:
    features = LogMel(80)(sweep(3))
    at_once = logits(model("small-test"), features, 8)
    assert error(logits(model("small-test"), features, 4, 1, 2, 1), at_once) < 1e-5


@pytest.mark.reference
@pytest.mark.parametrize(
    "compute_type",
    [
        "float32",
        "bfloat16",
        "float16",
        "int8_kv_float32",
        "int8_kv_bfloat16",
        "int8_float16",
        "int8_weights_bfloat16",
    ],
)
@pytest.mark.parametrize("name", ["small-test", "nano"])
def test_logits_are_no_further_from_transformers_than_the_cpu_engines(
    checkpoint: OpenCheckpoint, model: OpenModel, compute_type: str, name: str
) -> None:
    found = opened(checkpoint, name)
    features = LogMel(80)(sweep(3))
    expected = WhisperReference(found.folder).logits(features, TEXT)
    ours = error(logits(model(name, compute_type), features, 4, 1, 2, 1), expected)
    assert ours < LOGIT_ERROR_LIMIT[compute_type]
    compiler = open_compiler("cpu", "bfloat16", None)
    floats = compute_type.removeprefix("int8_kv_") in ("bfloat16", "float16")
    if floats and compiler.precision.name == "bfloat16":  # else it has none
        assert ours <= 1.1 * error(cpu_logits(found, compiler, features), expected)


@pytest.mark.parametrize("compute_type", ["int4", "int4_bfloat16"])
def test_int4_is_near_float32(model: OpenModel, compute_type: str) -> None:
    features = LogMel(80)(sweep(3))
    found, exact = (
        logits(model("small-test", each), features, 4, 4) for each in (compute_type, "float32")
    )
    assert 0.01 < error(found, exact) < LOGIT_ERROR_LIMIT["int4_float32"]


def test_a_model_without_whole_groups_of_int4_is_refused(model: OpenModel) -> None:
    with pytest.raises(UsageError, match=r"groups of 32, and .* layers with 120: choose int8"):
        model("nano", "int4")


def test_rows_of_a_window_share_its_sound(model: OpenModel) -> None:
    """Two windows of two sequences each, against each alone."""
    found = model("small-test")
    features = np.stack([LogMel(80)(sweep(number)) for number in (1, 2)])
    pool = CrossKVPool(found.dims, 2, found.placement)
    cache = SelfKVCache(found.dims, 4, found.placement)
    tokens = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.int32)
    with torch.inference_mode():
        found.encode(torch.from_numpy(features), pool, slice(0, 2))
        session = TorchSession(found, pool, cache)
        session.restart([0, 1], 2)
        together = session.step(tokens, [1]).copy()
        for row in range(4):
            session.restart([row // 2])
            alone = session.step(tokens[row : row + 1], [1])
            assert error(together[row], alone[0]) < 1e-5
