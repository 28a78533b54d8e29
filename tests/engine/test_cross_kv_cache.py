from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.checkpoint.config import Dimensions
from quest22.engine.cross_kv_cache import CrossKVCache

DIMS = Dimensions(12, 1, 3, 4, 2, 3, 4, 80, 5, 448, 51865)
ROWS = 6


def numbered(element: str = "f32") -> CrossKVCache:
    """A cache whose row i holds nothing but i."""
    cache = CrossKVCache(DIMS, ROWS, element)
    for view in cache.views(slice(0, ROWS)).values():
        view[...] = np.arange(ROWS).reshape(-1, 1, 1, 1)
    return cache


def rows(cache: CrossKVCache) -> list[int]:
    (held,) = {
        tuple(int(row.flat[0]) for row in view) for view in cache.views(slice(0, ROWS)).values()
    }
    return list(held)


@pytest.mark.parametrize(("element", "size"), [("f32", 4), ("bf16", 2), ("f16", 2), ("i8", 1)])
def test_shapes(element: str, size: int) -> None:
    views = CrossKVCache(DIMS, ROWS, element).views(slice(1, 3))
    assert views["cross_key_1"].shape == (2, 3, 5, 4)
    assert views["cross_value_0"].shape == (2, 3, 4, 5)
    assert views["cross_key_0"].itemsize == size
    assert len(views) == (8 if element == "i8" else 4)
    if element == "i8":
        assert views["cross_key_scale_0"].shape == (2, 3, 1, 4)
        assert views["cross_value_scale_0"].shape == (2, 3, 4, 1)


groups = st.lists(st.integers(0, ROWS - 1), unique=True, max_size=ROWS)


@given(st.lists(groups, max_size=4), st.sampled_from(["f32", "i8"]))
def test_windows_come_together_and_none_is_lost(calls: list[list[int]], element: str) -> None:
    cache = numbered(element)
    for windows in calls:
        found = cache.bring_together(windows)
        assert rows(cache)[found] == windows == [rows(cache)[row] for row in cache.rows_of(windows)]
        assert sorted(rows(cache)) == list(range(ROWS))


def test_windows_that_lie_together_do_not_move() -> None:
    cache = numbered()
    assert cache.bring_together([2, 3, 4]) == slice(2, 5)
    assert cache.bring_together([4, 3]) == slice(3, 5)
    assert rows(cache) == [0, 1, 2, 4, 3, 5]


def test_a_new_batch_is_numbered_by_rows() -> None:
    cache = numbered()
    cache.bring_together([3, 1])
    assert cache.rows_of([1, 2, 3]) == [2, 3, 1]
    cache.begin_batch()
    assert cache.rows_of(range(ROWS)) == list(range(ROWS))


@pytest.mark.parametrize("element", ["f32", "i8"])
def test_a_row_may_hold_fewer_frames_and_takes_them_along(element: str) -> None:
    cache = numbered(element)
    for name, view in cache.open_row(4, 2).items():
        view[...] = 9
        if "scale" not in name:
            assert view.shape == ((1, 3, 2, 4) if "key" in name else (1, 3, 4, 2))
            assert np.shares_memory(view, cache.views(slice(4, 5))[name])
            held = cache.views(slice(4, 5))[name].reshape(-1).tolist()
            assert held == [9] * 24 + [4] * 36
    cache.bring_together([5, 4])
    assert cache.rows_of([5, 4]) == [4, 5]
    assert cache.frames.tolist() == [5, 5, 5, 5, 5, 2]
    assert {float(view.max()) for view in cache.row_views(5).values()} == {9}
