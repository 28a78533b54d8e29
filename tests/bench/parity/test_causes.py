from __future__ import annotations

from math import inf, log

import numpy as np
import pytest

from benchmarks.accuracy.parity.causes import first_difference, timestamp_lead


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([], [], None),
        ([1, 2], [1, 2], None),
        ([1, 2], [1, 3], 1),
        ([1, 2], [1], 1),
        ([], [1], 0),
        ([1, 2, 3], [4, 2, 3], 0),
    ],
)
def test_where_two_sequences_part(ours, theirs, expected):
    assert first_difference(ours, theirs) == expected


@pytest.mark.parametrize(
    ("text", "times", "earliest", "expected"),
    [
        ([1.0, 0.0], [1.0, 1.0], 3, log(2)),  # together twice as probable as the best text
        ([1.0, 0.0], [1.0, 1.0], 4, 0.0),  # the first comes too early
        ([0.0, 3.0], [1.0, -inf], 3, -2.0),
    ],
)
def test_by_how_much_timestamps_lead(text, times, earliest, expected):
    no_timestamps = [9.0]
    logits = np.array([*text, *no_timestamps, *times], np.float32)
    assert timestamp_lead(logits, 3, earliest) == pytest.approx(expected)
