"""Steps and passes of fixed shape, as they are captured on a GPU.

Here a capture is the function itself, run before as a GPU does to warm up.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.draft import with_layers
from quest22.audio.log_mel import LogMel
from quest22.decoding.draft_length import StepCosts
from quest22.engine.engine import WhisperEngine
from quest22.engine.torch.backend import BatchShape, TorchBackend
from quest22.engine.torch.model import WhisperModel
from quest22.engine.torch.passes import _padded_tokens
from quest22.engine.torch.speculative import TorchDraft
from quest22.engine.torch.steps import Run, StepRunner, cuda_graphs
from quest22.metrics import Metrics
from quest22.records import DecodingOptions
from tests.engine.conftest import OpenCheckpoint
from tests.engine.torch.conftest import OpenModel, OpenTorchEngine
from tests.engine.torch.test_search import batch, same
from tests.support.windows import windows

FREE = StepCosts((1,), (0.05,), (0.01,))


@pytest.mark.parametrize("shape", [BatchShape(8, 3, 3), BatchShape(6, 3, 2)])
def test_fixed_shapes_change_nothing(
    checkpoint: OpenCheckpoint,
    model: OpenModel,
    torch_engine: OpenTorchEngine,
    captured: list[Run],
    shape: BatchShape,
) -> None:
    """Rows padded to powers of two, in memory of their own that later batches use again."""
    found = checkpoint("small-test")
    backend = TorchBackend(found, model("small-test"), shape, batch_size=8)
    engine = WhisperEngine(found, backend, LogMel(80), Metrics())
    expected = torch_engine("small-test", rows=5).run(batch())
    same(engine.run(batch()), expected)
    shapes = len(captured)
    assert shapes >= 2
    same(engine.run(batch()), expected)
    assert len(captured) == shapes


LIMITS = (40, 3, 25, 60, 11, 31, 18, 2)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [3, 8])
@pytest.mark.parametrize("same_model", [False, True])
def test_passes_of_fixed_shape_change_nothing(
    checkpoint: OpenCheckpoint,
    model: OpenModel,
    torch_engine: OpenTorchEngine,
    captured: list[Run],
    rows: int,
    same_model: bool,
) -> None:
    """Guesses of a draft that is always right or seldom, up to the last position of a text."""
    found = checkpoint("small-test")
    opened = model("small-test")
    drafting = opened
    if not same_model:
        part = with_layers(found, [1])
        drafting = WhisperModel(part.weights, part.dimensions, opened.placement)
    draft = TorchDraft(drafting, FREE, shares=True)
    backend = TorchBackend(found, opened, BatchShape(9, rows, 3), draft)
    engine = WhisperEngine(found, backend, LogMel(80), Metrics())
    limits = (448, *LIMITS[:4]) if rows == 3 and same_model else LIMITS
    asked = windows(
        *[
            DecodingOptions("en", timestamps=place % 2 == 0, max_new_tokens=limit)
            for place, limit in enumerate(limits)
        ]
    )
    expected = torch_engine("small-test").run(asked)
    same(engine.run(asked), expected)
    assert backend._speculative is not None
    counts = backend._speculative.counts
    assert counts.guessed > 0
    assert (counts.right > 0.9 * counts.guessed) == same_model
    shapes = len(captured)
    assert shapes >= 8
    same(engine.run(asked), expected)
    assert len(captured) == shapes


def test_tokens_of_a_pass_are_rounded_up_to_one_more_than_powers_of_two() -> None:
    def count(tokens: int, most: int = 99) -> int:
        return _padded_tokens(np.zeros((2, tokens), np.int32), most).shape[1]

    assert [count(each) for each in range(1, 10)] == [1, 2, 3, 5, 5, 9, 9, 9, 9]
    assert [count(6, most) for most in (6, 7, 8, 9, 10)] == [6, 7, 8, 9, 9]


def test_windows_are_rounded_up_to_powers_of_two(model: OpenModel) -> None:
    def count(live: int, places: int, fixed: bool) -> int:
        capture = (lambda run: run) if fixed else None
        return StepRunner(model("small-test"), None, None, capture).count(live, places)

    assert [count(live, 6, True) for live in range(1, 7)] == [1, 2, 4, 4, 6, 6]
    assert [count(live, 6, False) for live in range(1, 7)] == [1, 2, 3, 4, 5, 6]


def test_only_cuda_has_graphs() -> None:
    assert cuda_graphs(torch.device("cpu")) is None
    assert cuda_graphs(torch.device("mps")) is None
