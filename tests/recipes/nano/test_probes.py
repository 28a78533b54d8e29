from __future__ import annotations

import numpy as np
import pytest

from quest22.records import Word
from recipes.nano.narration import Narration, Said
from recipes.nano.probes import word_start_errors


@pytest.mark.parametrize(
    ("heard", "marked", "errors"),
    [
        ([" Good", " day."], True, [0.1, 0.25]),
        ([" Good", " way."], True, []),
        ([" Good", " day."], False, []),
    ],
)
def test_starts_are_compared_where_the_words_are_right(
    heard: list[str], marked: bool, errors: list[float]
) -> None:
    said = Said("Good day.", "Good day.", "flite:slt", 0.0, 1.0, (0.3, 0.5), marked)
    trial = Narration(np.zeros(16_000, np.float32), (said,), "en")
    found = [
        Word(start_s, 0.9, text, 1.0) for start_s, text in zip((0.2, 0.75), heard, strict=True)
    ]
    assert word_start_errors(trial, found) == pytest.approx(errors)
