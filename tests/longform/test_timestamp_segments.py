from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.timestamp_segments import TimestampSegment, timestamp_segments

BEGIN = 1000


def at(frame: int) -> int:
    """The timestamp of a frame."""
    return BEGIN + frame // 2


# tokens, segments, frames to go on (of 3000), ended by a single timestamp
CASES = [
    ([], [(0, 3000)], 3000, False),
    ([5, 6], [(0, 3000)], 3000, False),
    ([at(0), 5, at(100)], [(0, 100)], 3000, True),
    ([at(0), 5], [(0, 3000)], 3000, False),
    ([at(20), 5, at(100), at(120), 6], [(20, 100)], 100, False),
    ([at(20), 5, at(100), at(120)], [(20, 100)], 100, False),
    ([at(0), 5, at(100), at(120), 6, at(200)], [(0, 100), (120, 200)], 3000, True),
    (
        [at(0), 5, at(100), at(120), 6, at(200), at(220), 7],
        [(0, 100), (120, 200)],
        200,
        False,
    ),
]


@pytest.mark.parametrize(("tokens", "spans", "advance", "alone"), CASES)
def test_segments_and_where_to_go_on(
    tokens: list[int], spans: list[tuple[int, int]], advance: int, alone: bool
) -> None:
    found = timestamp_segments(tokens, BEGIN, 3000)
    assert [(each.start, each.end) for each in found.segments] == spans
    assert (found.advance, found.ended_alone) == (advance, alone)


tokens_of = st.lists(st.integers(0, BEGIN + 1500), max_size=30)


@given(tokens_of)
def test_segments_are_the_tokens_up_to_an_end(tokens: list[int]) -> None:
    found = timestamp_segments(tokens, BEGIN, 3000)
    together = [token for each in found.segments for token in each.tokens]
    assert together == tokens[: len(together)]
    assert all(isinstance(each, TimestampSegment) for each in found.segments)
