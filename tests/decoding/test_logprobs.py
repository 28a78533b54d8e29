from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.decoding.logprobs import argmax, log_normalizer, top
from quest22.errors import EngineError


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_never_text(bad: float) -> None:
    logits = np.zeros((2, 5), np.float32)
    logits[1, 3] = bad
    with pytest.raises(EngineError, match="not finite"):
        log_normalizer(logits[1])
    with pytest.raises(EngineError, match="not finite"):
        argmax(logits)


def test_a_row_where_nothing_is_allowed_is_an_error() -> None:
    with pytest.raises(EngineError, match="not finite"):
        argmax(np.full((1, 5), -np.inf, np.float32))


def test_log_probability_of_the_best() -> None:
    tokens, logprobs = argmax(np.log(np.array([[1, 7, 2], [6, 1, 3]], np.float32)))
    assert tokens == [1, 0]
    assert logprobs == pytest.approx([np.log(0.7), np.log(0.6)], abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(10, 2000))
def test_the_top_is_that_of_a_sort(seed: int, count: int, size: int) -> None:
    row = np.random.default_rng(seed).integers(0, 500, size).astype(np.float32)
    found = top(row, count)
    assert row[found].tolist() == np.sort(row)[::-1][:count].tolist()
    assert len(set(found.tolist())) == count
