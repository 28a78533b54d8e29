from __future__ import annotations

import pytest

from quest22.decoding.timestamps import drop_unfinished
from tests.support.fake_whisper import NUMBERS, timestamp_token

BEGIN = NUMBERS.timestamp_begin


@pytest.mark.parametrize(
    ("tokens", "kept", "resume"),
    [
        ((), 0, None),
        ((1, 2), 2, None),
        ((timestamp_token(0), 1, timestamp_token(2)), 3, None),
        (
            (timestamp_token(0), 1, timestamp_token(2), timestamp_token(2), 5, timestamp_token(3)),
            6,
            None,
        ),
        ((timestamp_token(0), 1, timestamp_token(2), timestamp_token(2)), 4, 100),
        ((timestamp_token(0), 1, timestamp_token(2), timestamp_token(2.5), 5, 6), 4, 100),
        (
            (
                timestamp_token(0),
                1,
                timestamp_token(2),
                timestamp_token(2),
                5,
                timestamp_token(3),
                timestamp_token(3),
                7,
            ),
            7,
            150,
        ),
    ],
)
def test_what_follows_the_last_pair_is_heard_again(
    tokens: tuple[int, ...], kept: int, resume: int | None
) -> None:
    assert drop_unfinished(tokens, BEGIN) == (tokens[:kept], resume)
