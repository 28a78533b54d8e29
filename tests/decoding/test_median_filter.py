from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.decoding.median_filter import median_filter

ROWS = st.builds(
    lambda rows, columns, seed: (
        np.random.default_rng(seed).integers(-9, 9, (rows, columns)).astype(np.float32)
    ),
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(0, 10_000),
)


@given(ROWS)
def test_values_are_numpys_medians(rows):
    made = median_filter(rows.copy())
    if rows.shape[1] <= 3:
        assert np.array_equal(made, rows)
        return
    mirrored = np.pad(rows, ((0, 0), (3, 3)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(mirrored, 7, axis=1)
    assert np.array_equal(made, np.median(windows, axis=-1))


@given(ROWS)
def test_what_is_filtered_stays_as_it_is(rows):
    before = rows.copy()
    median_filter(rows)
    assert np.array_equal(rows, before)


@pytest.mark.parametrize(
    ("row", "expected"), [([0, 0, 9, 0, 0], [0] * 5), ([1, 2, 3], [1, 2, 3]), ([5], [5])]
)
def test_spikes_go(row, expected):
    assert median_filter(np.array([row], np.float32)).tolist() == [expected]
