from __future__ import annotations

import pytest

from quest22.decoding.timestamps import drop_unfinished
from tests.support.listening import NUMBERS, mark

BEGIN = NUMBERS.timestamp_begin


@pytest.mark.parametrize(
    ("tokens", "kept", "resume"),
    [
        ((), 0, None),
        ((1, 2), 2, None),
        ((mark(0), 1, mark(2)), 3, None),
        ((mark(0), 1, mark(2), mark(2), 5, mark(3)), 6, None),
        ((mark(0), 1, mark(2), mark(2)), 4, 100),
        ((mark(0), 1, mark(2), mark(2.5), 5, 6), 4, 100),
        ((mark(0), 1, mark(2), mark(2), 5, mark(3), mark(3), 7), 7, 150),
    ],
)
def test_what_follows_the_last_pair_is_heard_again(
    tokens: tuple[int, ...], kept: int, resume: int | None
) -> None:
    assert drop_unfinished(tokens, BEGIN) == (tokens[:kept], resume)
