from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quest22.decoding.dtw import first_frames

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 40))


def grid(size: tuple[int, int], seed: int, *, ties: bool) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal(size).astype(np.float32)
    return np.round(values) if ties else values


@pytest.fixture(params=["on", "off"], autouse=True)
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the native library, where there is one, and in NumPy."""
    monkeypatch.setenv("QUEST22_NATIVE", request.param)


GRIDS = st.builds(grid, SIZES, st.integers(0, 10_000), ties=st.booleans())


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ([[0]], [0]),
        ([[0, 0, 0]], [0]),
        ([[0], [0], [0]], [0, 0, 0]),
        ([[0, 9, 9, 9], [9, 0, 0, 9], [9, 9, 9, 0]], [0, 1, 3]),
        ([[0, 0, 0, 9], [9, 9, 9, 0]], [0, 3]),
        ([[1, 1], [1, 1]], [0, 1]),
    ],
)
def test_small_grids(cost, expected):
    (found,) = first_frames([np.array(cost, np.float32)])
    assert found.tolist() == expected


@given(st.lists(GRIDS, max_size=5))
def test_grids_of_a_batch_do_not_meet(costs):
    together = first_frames(costs)
    alone = [first_frames([cost])[0] for cost in costs]
    assert [each.tolist() for each in together] == [each.tolist() for each in alone]


@given(GRIDS)
def test_time_never_runs_back(cost):
    (found,) = first_frames([cost])
    assert found[0] == 0
    assert len(found) == len(cost)
    assert all(before <= after < cost.shape[1] for before, after in pairwise(found))


@pytest.mark.reference
@example([np.float32(0.1) * grid((3, 300), 3, ties=True)])  # ties that only float64 sums keep
@given(st.lists(GRIDS, max_size=3))
def test_paths_are_openai_whispers(costs):
    timing = pytest.importorskip("whisper.timing", reason="openai-whisper is not installed")
    for cost, found in zip(costs, first_frames(costs), strict=True):
        tokens, frames = timing.dtw_cpu(cost.astype(np.float64))
        first = np.pad(np.diff(tokens), (1, 0), constant_values=1).astype(bool)
        assert found.tolist() == frames[first].tolist()
