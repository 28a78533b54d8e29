from __future__ import annotations

import numpy as np
import pytest

from quest22.longform.live.guards import Heard
from quest22.longform.live.hearing import Job, Result, Running
from quest22.longform.live.words import HeardWord
from quest22.records import Alignment, DecodingOptions, Hypothesis, Window


@pytest.mark.parametrize(
    ("words", "tokens", "expected"),
    [
        ((0.9, 0.8), (0.9, 0.8, 0.9), True),
        ((0.9, 0.8), (0.9, 0.8, 0.5), False),  # the full stop may be none
        ((0.9, 0.6), (0.9, 0.6, 0.9), False),
        ((), (), False),
    ],
)
def test_a_text_is_sure_if_all_of_it_is(
    words: tuple[float, ...], tokens: tuple[float, ...], expected: bool
) -> None:
    bounds_s = tuple(0.1 * at for at in range(len(tokens) + 1))
    hypothesis = Hypothesis(
        tuple(range(len(tokens))), "en", 1.0, -0.1, 0.0, alignment=Alignment(bounds_s, tokens)
    )
    window = Window(np.zeros(160, np.float32), 0.0, DecodingOptions("en"))
    heard = [HeardWord(f" {at}", (at,), at, at + 1.0, each) for at, each in enumerate(words)]
    result = Result(
        Running(Job.PAUSE, window, 160), hypothesis, heard, Heard(1.0, 1.0, 0.0, True), None
    )
    assert result.is_sure(0.7) is expected
