from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.evaluation.bootstrap import Bootstrap


def _counts(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("errors", "totals", "bootstrap"),
    [
        ((), (), Bootstrap()),
        ((1,), (4,), Bootstrap()),
        ((1, 2), (0, 0), Bootstrap()),
        ((1, 2), (4, 4), Bootstrap(resamples=0)),
    ],
)
def test_where_nothing_can_be_told(errors, totals, bootstrap):
    assert bootstrap.interval(_counts(*errors), _counts(*totals)) is None


def test_the_same_seed_gives_the_same_bounds():
    errors, totals = _counts(0, 1, 2, 5, 0, 3), _counts(9, 8, 7, 6, 5, 4)
    first = Bootstrap(seed=3).interval(errors, totals)
    assert first == Bootstrap(seed=3).interval(errors, totals)
    assert first != Bootstrap(seed=4).interval(errors, totals)


_CLIPS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=2, max_size=20)


@given(_CLIPS, st.integers(0, 99))
def test_bounds_lie_between_the_clips_own_rates(clips, seed):
    errors, totals = (_counts(*side) for side in zip(*clips, strict=True))
    low, high = Bootstrap(resamples=50, seed=seed).interval(errors, totals)
    rates = errors / totals
    assert rates.min() - 1e-12 <= low <= high <= rates.max() + 1e-12


def test_bounds_are_those_of_the_normal_distribution_where_it_holds():
    """400 clips of ten words, each wrong with a chance of 0.2: known standard error."""
    random = np.random.default_rng(0)
    errors = random.binomial(10, 0.2, 400)
    low, high = Bootstrap(resamples=2000).interval(errors, np.full(400, 10))
    expected = 1.96 * np.sqrt(0.2 * 0.8 / 4000)
    assert (high - low) / 2 == pytest.approx(expected, rel=0.1)
    assert low < errors.sum() / 4000 < high


def test_more_confidence_is_wider():
    errors, totals = _counts(*range(20)), np.full(20, 20)
    narrow = Bootstrap(confidence=0.5).interval(errors, totals)
    wide = Bootstrap(confidence=0.99).interval(errors, totals)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"resamples": -1}, "--bootstrap"),
        ({"confidence": 95}, "--confidence is 95"),
        ({"confidence": 0}, "a share"),
        ({"seed": -1}, "--bootstrap-seed"),
    ],
)
def test_settings_that_mean_nothing(values, message):
    with pytest.raises(UsageError, match=message):
        Bootstrap(**values)
