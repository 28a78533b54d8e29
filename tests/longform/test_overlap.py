from __future__ import annotations

from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.longform.overlap import join, shared_middle

STRETCHES = st.lists(st.lists(st.integers(0, 6), max_size=30), min_size=1, max_size=6)


def joined(*stretches: list[int]) -> list[int]:
    ids = np.array([token for stretch in stretches for token in stretch], np.int64)
    bounds = np.cumsum([0, *map(len, stretches)]).tolist()
    ranges = [range(*pair) for pair in pairwise(bounds)]
    return [int(ids[at]) for kept in join(ids, ranges) for at in kept]


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([[1, 2, 3]], [1, 2, 3]),
        ([[1, 2, 3, 4], [3, 4, 5]], [1, 2, 3, 4, 5]),
        ([[1, 2, 3, 4], [5, 6]], [1, 2, 3, 4, 5, 6]),
        ([[1, 2, 3, 9], [2, 3, 4, 5]], [1, 2, 3, 4, 5]),
        ([[1, 2, 3, 4, 5, 6], [9, 4, 5, 6, 7]], [1, 2, 3, 4, 5, 6, 7]),
        ([[1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]], [1, 2, 3, 4, 5, 6]),
        ([[1, 2], []], [1, 2]),
        ([[], [1, 2]], [1, 2]),
    ],
)
def test_words_heard_twice_are_kept_once(stretches: list[list[int]], expected: list[int]) -> None:
    assert joined(*stretches) == expected


def test_one_equal_token_is_no_agreement() -> None:
    assert shared_middle(np.array([1, 2]), np.array([2, 3])) == (2, 0)


@given(st.lists(st.integers(0, 9**9), min_size=2, max_size=40, unique=True), st.data())
def test_the_true_text_comes_back(words: list[int], data: st.DataObject) -> None:
    stop = data.draw(st.integers(2, len(words)))
    start = data.draw(st.integers(0, stop - 2))
    assert joined(words[:stop], words[start:]) == words


@pytest.mark.reference
@settings(max_examples=300)
@given(stretches=STRETCHES)
def test_as_transformers_joins(joining: ModuleType, stretches: list[list[int]]) -> None:
    filled = [stretch for stretch in stretches if stretch] or [[1]]
    assert joined(*filled) == joining._find_longest_common_sequence(filled)
