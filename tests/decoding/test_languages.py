from __future__ import annotations

import numpy as np
import pytest

from quest22.decoding.languages import likeliest_language

LANGUAGES = {"en": 2, "ru": 4, "de": 5}


def test_only_languages_are_heard() -> None:
    logits = np.array([9, 9, 1, 9, 2, 1, 9], np.float32)
    code, share = likeliest_language(logits, LANGUAGES)
    assert code == "ru"
    assert share == pytest.approx(np.e / (np.e + 2))


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([0, 0, 1000, 0, 1000, 0], np.float32)
    assert likeliest_language(logits, LANGUAGES) == ("en", pytest.approx(0.5))
