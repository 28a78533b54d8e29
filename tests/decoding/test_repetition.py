from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.decoding.repetition import (
    block_repeated_ngrams,
    ends_in_loop,
    penalize_repetition,
)

# tokens so far, size of the n-gram, what may not come
CASES = [
    ([], 1, set()),
    ([4, 5], 1, {4, 5}),
    ([4, 5, 4], 2, {5}),
    ([4, 5, 6, 4, 5], 3, {6}),
    ([4, 4], 2, {4}),
    ([4, 5, 6], 3, set()),
    ([4], 3, set()),
]


@pytest.mark.parametrize(("tokens", "size", "expected"), CASES)
def test_what_may_not_come_again(tokens: list[int], size: int, expected: set[int]) -> None:
    row = np.zeros(9, np.float32)
    block_repeated_ngrams(row, tokens, size)
    assert set(np.flatnonzero(np.isneginf(row)).tolist()) == expected


@pytest.mark.reference
@pytest.mark.parametrize("seed", range(10))
def test_equal_to_transformers(seed: int) -> None:
    torch = pytest.importorskip("torch")
    process = pytest.importorskip("transformers").generation.logits_process
    random = np.random.default_rng(seed)
    tokens = random.integers(0, 9, 1 + seed * 3).tolist()
    row = random.standard_normal(9).astype(np.float32)
    expected = torch.from_numpy(row.copy())[None]
    for processor in (
        process.RepetitionPenaltyLogitsProcessor(1.3),
        process.NoRepeatNGramLogitsProcessor(2),
    ):
        expected = processor(torch.tensor([tokens]), expected)
    penalize_repetition(row, tokens, 1.3)
    block_repeated_ngrams(row, tokens, 2)
    np.testing.assert_allclose(row, expected[0].numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("tokens", "max_repeats", "loops"),
    [
        ([], 2, False),
        ([1, 1], 2, False),
        ([1, 1, 1], 2, True),
        ([5, 1, 1, 1], 2, True),
        ([1, 1, 1, 5], 2, False),
        ([1, 2, 1, 2, 1, 2], 2, True),
        ([1, 2, 1, 2, 1], 2, False),
        ([9, 1, 2, 3, 1, 2, 3], 1, True),
        ([1, 2, 3, 4], 1, False),
    ],
)
def test_a_loop_at_the_end(tokens, max_repeats, loops):
    assert ends_in_loop(tokens, max_repeats) == loops


@given(st.lists(st.integers(0, 2), max_size=5), st.lists(st.integers(0, 2), min_size=1, max_size=4))
def test_any_text_that_comes_often_is_a_loop(before, text):
    assert ends_in_loop([*before, *text * 4], 3)
