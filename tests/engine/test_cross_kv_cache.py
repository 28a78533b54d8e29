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


@given(st.lists(st.integers(0, ROWS - 1), unique=True, max_size=ROWS))
def test_rows_move_to_the_front(order: list[int]) -> None:
    cache = numbered()
    cache.move(order)
    assert rows(cache)[: len(order)] == order


def test_rows_move_behind_others() -> None:
    cache = numbered()
    cache.move([5, 3], first=2)
    assert rows(cache) == [0, 1, 5, 3, 4, 5]


@pytest.mark.parametrize("element", ["f32", "i8"])
def test_a_copy_stays_when_rows_move(element: str) -> None:
    cache = numbered(element)
    copied = cache.copy([4, 1])
    cache.move([3, 2, 1])
    assert rows(copied) == [4, 1]
    assert (copied.rows, copied.element) == (2, element)
