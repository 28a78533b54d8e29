from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.decoding.fallback import Fallback
from quest22.longform.hallucination import (
    LOOP,
    SPEAKING_RATE,
    HallucinationFilter,
    KeptSegments,
    SilenceContext,
    drop_in_silence,
    is_anomaly,
    longest_repetition,
)
from quest22.records import Segment, Word
from quest22.settings import HallucinationSettings

# tokens, how often in a row the same n-gram comes
REPEATS = [
    ([], 0),
    ([1], 1),
    ([1, 2, 3], 1),
    ([1, 1], 2),
    ([1, 2, 1, 2, 1, 2, 1], 3),
    ([9, 1, 2, 3, 1, 2, 3, 8], 2),
    ([5, 5, 5, 5, 1, 2, 1, 2], 4),
]


@pytest.mark.parametrize(("tokens", "expected"), REPEATS)
def test_repeats(tokens: list[int], expected: int) -> None:
    assert longest_repetition(tokens) == expected


@given(st.lists(st.integers(0, 2), min_size=1, max_size=5), st.integers(1, 12))
def test_a_phrase_that_comes_again_is_counted(phrase: list[int], times: int) -> None:
    assert longest_repetition(phrase * times) >= times


def segment(text: str, tokens: tuple[int, ...], duration_s: float) -> Segment:
    return Segment(3.0, 3.0 + duration_s, text, tokens)


LONG = " and so" * 40
CASES = [
    (segment(" a word", (1, 2), 0.0), None),
    (segment(LONG, (1, 2) * 40, 20.0), LOOP),
    (segment(LONG, tuple(range(80)), 20.0), None),
    (segment(" no no no no no no", (1,) * 6, 2.0), None),
    (segment(" ha ha ha ha ha ha ha ha ha ha ha ha", (1,) * 12, 3.0), LOOP),
    (segment("x" * 90, (1, 2), 0.1), None),
    (segment("".join(map(chr, range(65, 200))), (1, 2), 0.5), SPEAKING_RATE),
    (segment("".join(map(chr, range(65, 200))), (1, 2), 5.0), None),
]


def reason_of(segment: Segment, thresholds: HallucinationSettings) -> str | None:
    return HallucinationFilter(Fallback((0.0,), thresholds), thresholds).reason(segment)


@pytest.mark.parametrize(("made_up", "reason"), CASES)
def test_what_is_dropped(made_up: Segment, reason: str | None) -> None:
    assert reason_of(made_up, HallucinationSettings()) == reason
    off = HallucinationSettings(max_repeats=None, max_speaking_rate=None)
    assert reason_of(made_up, off) is None


CONTEXT = SilenceContext(
    start_s=100.0, duration_s=30.0, last_speech_s=100.0, clip_s=300.0, threshold_s=2.0
)


def two_words(start_s: float, end_s: float, *, likely: bool = True) -> Segment:
    """Two words that fill it."""
    middle_s = (start_s + end_s) / 2
    probability = 0.9 if likely else 0.1
    spans = ((start_s, middle_s), (middle_s, end_s))
    words = tuple(Word(*span, " word", probability) for span in spans)
    return Segment(start_s, end_s, " word word", words=words)


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (None, False),
        (Segment(0, 1, ""), False),
        (two_words(0, 1), False),
        (two_words(0, 1, likely=False), True),
        (two_words(0, 0.02), True),
        (two_words(0, 9), True),
        (Segment(0, 1, "...", words=(Word(0, 1, ".", 0.01), Word(0, 1, " a", 0.9))), False),
    ],
)
def test_unlikely_short_and_long_words_are_anomalies(
    segment: Segment | None, expected: bool
) -> None:
    assert is_anomaly(segment) is expected


# segments; how many remain, and the frame of the next window
SILENCE_CASES = [
    ([], 0, None),
    ([two_words(101, 102), two_words(103, 104)], 2, None),
    ([two_words(103, 104, likely=False)], 0, 10_300),
    ([two_words(101, 102), two_words(110, 111, likely=False)], 1, 11_000),
    ([two_words(101, 102), two_words(103, 104, likely=False), two_words(105, 106)], 3, None),
    ([two_words(101, 102), two_words(110, 111, likely=False), two_words(112, 113)], 3, None),
]


@pytest.mark.parametrize(("segments", "count", "seek"), SILENCE_CASES)
def test_what_is_made_up_in_silence_is_dropped(
    segments: list[Segment], count: int, seek: int | None
) -> None:
    assert drop_in_silence(segments, CONTEXT) == KeptSegments(count, seek)
