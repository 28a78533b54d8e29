from __future__ import annotations

import numpy as np
import pytest

from quest22.longform.live.guards import Heard
from quest22.longform.live.hearing import Job, Result, Running
from quest22.longform.live.words import HeardWord
from quest22.records import Alignment, DecodingOptions, Hypothesis, Window


@pytest.mark.parametrize(
    ("words", "mark", "tokens", "expected"),
    [
        ((0.9, 0.8), ".", (0.9, 0.8, 0.8), True),
        ((0.9, 0.8), ".", (0.9, 0.8, 0.5), False),  # the full stop may be none
        ((0.9, 0.6), ".", (0.9, 0.6, 0.8), False),
        ((0.9, 0.2), ".", (0.9, 0.2, 0.95), True),  # the sentence ends, whatever the word is
        ((0.9, 0.2), '?"', (0.9, 0.2, 0.95), True),
        ((0.9, 0.2), ",", (0.9, 0.2, 0.95), False),
        ((0.9, 0.8), "", (0.9, 0.8), True),
        ((), "", (), False),
    ],
)
def test_a_text_is_complete_if_its_end_or_all_of_it_is_sure(
    words: tuple[float, ...], mark: str, tokens: tuple[float, ...], expected: bool
) -> None:
    bounds_s = tuple(0.1 * at for at in range(len(tokens) + 1))
    hypothesis = Hypothesis(
        tuple(range(len(tokens))), "en", 1.0, -0.1, 0.0, alignment=Alignment(bounds_s, tokens)
    )
    window = Window(np.zeros(160, np.float32), 0.0, DecodingOptions("en"))
    heard = [HeardWord(f" {at}{mark}", (at,), at, at + 1.0, each) for at, each in enumerate(words)]
    result = Result(
        Running(Job.PAUSE, window, 160), hypothesis, heard, Heard(1.0, 1.0, 0.0, True), None
    )
    assert result.is_complete(0.7) is expected
    assert result.goes_on(0.7) is (bool(words) and tokens[-1] < 0.7)
