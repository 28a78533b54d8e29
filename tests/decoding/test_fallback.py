from __future__ import annotations

import pytest

from quest22.decoding.fallback import REFERENCE_TEMPERATURES, Fallback
from quest22.records import Hypothesis
from quest22.settings import HallucinationSettings

FALLBACK = Fallback(REFERENCE_TEMPERATURES, HallucinationSettings())
LOOP = "and so " * 40


def heard(sure: float, silent: float, temperature: float = 0.0) -> Hypothesis:
    return Hypothesis((), "en", 1.0, sure, silent, temperature)


# log-probability, no-speech probability, text, temperature, the next one, silence
CASES = [
    (-0.3, 0.1, "a word", 0.0, None, False),
    (-1.2, 0.1, "a word", 0.0, 0.2, False),
    (-0.3, 0.1, LOOP, 0.0, 0.2, False),
    (-0.3, 0.1, LOOP, 0.4, 0.6, False),
    (-0.3, 0.1, LOOP, 1.0, None, False),
    (-1.2, 0.9, "a word", 0.0, None, True),
    (-1.2, 0.9, LOOP, 0.0, None, True),
    (-0.3, 0.9, "a word", 0.0, None, False),
    (-1.0, 0.9, "a word", 0.0, None, True),
]


@pytest.mark.parametrize(("sure", "silent", "text", "temperature", "hotter", "silence"), CASES)
def test_as_openai_decides(
    sure: float, silent: float, text: str, temperature: float, hotter: float | None, silence: bool
) -> None:
    hypothesis = heard(sure, silent, temperature)
    assert FALLBACK.next_temperature(hypothesis, text) == hotter
    assert FALLBACK.is_silence(hypothesis) is silence


def test_without_thresholds_all_is_believed() -> None:
    trusting = Fallback((0.0, 0.5), HallucinationSettings(None, None, None))
    assert trusting.next_temperature(heard(-9.0, 1.0), LOOP) is None
    assert not trusting.is_silence(heard(-9.0, 1.0))


def test_without_a_log_probability_only_silence_decides() -> None:
    strict = Fallback((0.0, 0.5), HallucinationSettings(logprob_threshold=None))
    assert strict.is_silence(heard(-0.1, 0.9))
    assert strict.next_temperature(heard(-9.0, 0.9), "a word") is None
