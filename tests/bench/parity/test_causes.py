from __future__ import annotations

from math import inf, log
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy.parity.causes import (
    EQUAL,
    NEAR_TIE,
    UNEXPLAINED,
    TokenJudge,
    first_difference,
    timestamp_lead,
)


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


TOKENS = SimpleNamespace(eot=2, timestamp_begin=4, decode=lambda tokens: f"word {tokens}")
"""Text 0 and 1, the end 2, no timestamps 3, timestamps 4 and 5."""


def judge(*last: float) -> TokenJudge:
    """Of a model that scores the last token so, whatever was before it."""

    def logits(_: Any, tokens: list[int]) -> Any:
        return np.array([[0.0] * 6] * (len(tokens) - 1) + [last], np.float32)

    models: Any = SimpleNamespace(
        checkpoint=SimpleNamespace(tokens=TOKENS), transformers=SimpleNamespace(logits=logits)
    )
    return TokenJudge(models, np.zeros((80, 3000), np.float32), (9,))


@pytest.mark.parametrize(
    ("ours", "theirs", "last", "expected"),
    [
        ([0, 1], [0, 1], [0, 0, 0, 0, 0, 0], EQUAL),
        ([0, 1], [0, 0], [5, 5.0001, 0, 0, 0, 0], NEAR_TIE),
        ([0, 1], [0, 0], [5, 5.01, 0, 0, 0, 0], UNEXPLAINED),
        ([0], [0, 1], [0, 5, 5, 0, 0, 0], NEAR_TIE),  # the end of text is a token too
        ([0], [0, 1], [0, 5, 4, 0, 0, 0], UNEXPLAINED),
        ([0, 5], [0, 1], [0, 5 + log(2), 0, 0, 5, 5], NEAR_TIE),  # all timestamps together
        ([0, 5], [0, 1], [0, 6, 0, 0, 4, 4], UNEXPLAINED),
    ],
)
def test_causes(ours, theirs, last, expected):
    assert judge(*last).outcome("a", ours, theirs).cause == expected
