"""Which texts can be what was said."""

from __future__ import annotations

import pytest

from quest22.decoding.fallback import Fallback
from quest22.longform.pauses.trust import Trust, is_doubled
from quest22.settings import HallucinationSettings
from tests.longform.pauses.scripted import CHARACTERS, said

TRUST = Trust(Fallback((0.0,), HallucinationSettings()), CHARACTERS)
NO_LIMITS = HallucinationSettings(logprob_threshold=None, compression_ratio_threshold=None)
FINE = " The quick brown fox jumps over the lazy dog, as it always does on Mondays."
FINE_JA = "今日は天気がいいので、公園まで散歩に行きました。"


@pytest.mark.parametrize(
    ("text", "language", "doubled"),
    [
        ("", "en", False),
        ("no no no no", "en", False),
        ("no no no no no no no no", "en", True),
        ("I do I do", "en", False),
        ("what do you mean what do you mean", "en", True),
        ("What do you mean? what do you mean!", "en", True),
        ("so what do you mean what do you mean now", "en", True),
        ("what do you mean what did you mean", "en", False),
        ("what do you mean by what do you mean", "en", False),
        ("one two three four five one two three four five", None, True),
        ("今日は天気がいい今日は天気がいい", "ja", True),
        ("今日は天気が いい 今日は天気がいい", "ja", True),
        ("はいはいはいはい", "ja", False),
        ("天気天気天気天気天気天気天気天気", "ja", True),
        ("今日は天気がいい昨日は天気がいい", "ja", False),
        (FINE_JA, "ja", False),
        (FINE, "en", False),
    ],
)
def test_said_twice_in_a_row(text: str, language: str | None, doubled: bool) -> None:
    assert is_doubled(text, language) is doubled


@pytest.mark.parametrize(
    ("text", "language", "duration_s", "sane"),
    [
        (FINE, "en", 5.0, True),
        (FINE, "en", 2.0, False),
        (FINE_JA, "ja", 4.0, True),
        (FINE_JA, "ja", 0.5, True),
        (FINE_JA * 2, "ja", 10.0, False),
        ("", "en", 5.0, True),
        ("   ", "en", 5.0, True),
        (" x" * 100, "en", 30.0, False),
        ("ありがとう" * 40, "ja", 30.0, False),
        (" a" * 3, "en", 0.1, True),
        (" Kulkosisososososososososososos", "en", 6.0, False),
        (" Aaaaaaaaaaaaah", "en", 6.0, False),
        (" Hahahahaha, one and 1000000000 more", "en", 6.0, True),
    ],
)
def test_loops_and_too_much_text_are_not_sane(
    text: str, language: str, duration_s: float, sane: bool
) -> None:
    hypothesis = said(text, language)
    assert TRUST.is_sane(hypothesis, duration_s) is sane
    assert TRUST.is_trusted(hypothesis, duration_s) is sane


@pytest.mark.parametrize(("logprob", "trusted"), [(-0.9, True), (-1.0, True), (-1.01, False)])
def test_improbable_text_is_sane_but_not_trusted(logprob: float, trusted: bool) -> None:
    hypothesis = said(FINE, logprob=logprob)
    assert TRUST.is_sane(hypothesis, 5.0)
    assert TRUST.is_trusted(hypothesis, 5.0) is trusted


def test_limits_that_are_off_do_not_count() -> None:
    lenient = Trust(Fallback((0.0,), NO_LIMITS), CHARACTERS)
    assert lenient.is_trusted(said(FINE, logprob=-9.0), 5.0)
    assert lenient.is_sane(said(" ab" * 9, "ja"), 30.0) is False


def test_the_sane_text_is_better_then_the_more_probable() -> None:
    loop, unlikely, likely = said(" x" * 90, logprob=0.0), said(FINE, logprob=-2), said(FINE)
    ranked = sorted([likely, loop, unlikely], key=lambda each: TRUST.rank(each, 9.0))
    assert ranked == [loop, unlikely, likely]


def test_a_likely_language_makes_up_for_little_probability_of_text() -> None:
    text = said(FINE, logprob=-0.5)
    likely, unlikely = (TRUST.rank_in_language(text, each, 9.0) for each in (0.9, 0.05))
    assert likely > unlikely
    assert TRUST.rank_in_language(said(FINE, logprob=-0.3), 0.05, 9.0) > likely
    assert TRUST.rank_in_language(text, 0.0, 9.0) < unlikely


def test_timestamps_are_no_text() -> None:
    tokens = (CHARACTERS.timestamp_begin, *CHARACTERS.encode("so"), CHARACTERS.timestamp_begin + 9)
    hypothesis = said("so")
    assert TRUST.text(hypothesis.__class__(tokens, "en", 1.0, -0.2, 0.1)) == "so"
