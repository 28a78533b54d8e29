from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.decoding.logprobs import (
    argmax,
    log_normalizer,
    log_sum_exp,
    softmax,
    token_probability,
    top,
)
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


def random_logits(seed: int, *shape: int) -> np.ndarray:
    """Logits of a filtered row: a third of them cannot come."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 9, shape).astype(np.float32)
    logits[random.random(shape) < 0.3] = -np.inf
    logits[..., 0] = 1.0
    return logits


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([1, 7, 300, 51_865]))
def test_a_batch_sums_as_its_rows_do_to_the_last_bit(seed: int, rows: int, size: int) -> None:
    logits = random_logits(seed, rows, size)
    together = log_sum_exp(logits, logits.max(axis=1))
    inner = log_sum_exp(np.pad(logits, ((0, 0), (3, 0)))[:, 3:], logits.max(axis=1))
    assert np.array_equal(together, inner)
    for row, total in zip(logits, together, strict=True):
        assert log_normalizer(row) == float(total)
        highest = row.max()
        assert log_normalizer(row) == float(highest + np.log(np.exp(row - highest).sum()))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 99, 51_865]))
def test_probabilities_agree(seed: int, size: int) -> None:
    row = random_logits(seed, size)
    exact = np.exp(row.astype(np.float64) - log_normalizer(row))
    assert softmax(row.astype(np.float64)) == pytest.approx(exact, abs=1e-5)
    assert softmax(row).dtype == np.float32
    assert token_probability(row, 0) == pytest.approx(exact[0], abs=1e-5)


def test_a_softmax_over_nothing_is_nothing() -> None:
    assert softmax(np.zeros((3, 0), np.float32)).shape == (3, 0)
