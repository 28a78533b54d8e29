"""Speech without text, and text that is too little for its speech."""

from __future__ import annotations

import numpy as np
import pytest

from quest22.longform.pauses.coverage import (
    MIN_MEASURED_SEGMENTS,
    Flags,
    TextRate,
    speech_s,
    uncovered,
)
from quest22.longform.pauses.cutting import FRAME_S
from quest22.records import Segment

Spans = list[tuple[float, float]]


def flags(*spans: tuple[float, float], until_s: float = 20.0) -> Flags:
    times_s = np.arange(round(until_s / FRAME_S)) * FRAME_S
    return np.any([(start <= times_s) & (times_s < end) for start, end in spans], axis=0)


@pytest.mark.parametrize(
    ("spoken", "segments", "expected"),
    [
        ([(2, 9)], [(2, 9)], []),
        ([(2, 9)], [], [(1.7, 9.3)]),
        ([(0, 20)], [], [(0, 20)]),
        ([(2, 2.9)], [], []),
        ([(2, 3.1)], [], [(1.7, 3.4)]),
        ([(2, 2.6), (8, 8.6)], [], [(1.7, 8.9)]),
        ([(2, 9)], [(4, 9)], [(1.7, 4)]),
        ([(2, 9)], [(2, 6)], [(6, 9.3)]),
        ([(2, 9)], [(2, 3), (6, 9)], [(3, 6)]),
        ([(2, 9)], [(3.5, 5), (8.9, 9)], [(1.7, 3.5), (5, 8.9)]),
        ([(2, 9)], [(2, 5), (5.9, 9)], []),
        ([(2, 9), (12, 18)], [(2, 9)], [(11.7, 18.3)]),
        ([(2, 3.15)], [(3, 9)], []),  # within the tolerance, less than a second is left
        ([(8, 10), (10.3, 12)], [(10, 10.3)], [(7.7, 10), (10.3, 12.3)]),
    ],
)
def test_spans_without_text(spoken: Spans, segments: Spans, expected: Spans) -> None:
    found = uncovered(flags(*spoken), segments, 20.0)
    assert len(found) == len(expected)
    for span, wanted in zip(found, expected, strict=True):
        assert span == pytest.approx(wanted, abs=0.14)


def test_the_padding_does_not_reach_into_segments_or_beyond_the_audio() -> None:
    found = uncovered(flags((0.1, 5), (5.2, 19.9)), [(5.05, 5.15)], 20.0)
    assert [(start_s == 0.0, end_s) for start_s, end_s in found] == [(True, 5.05), (False, 20.0)]
    assert found[1][0] == 5.15


def test_a_segment_that_begins_before_the_audio_covers_it() -> None:
    assert uncovered(flags((0, 5)), [(-0.2, 5.0)], 20.0) == []


def test_the_flags_are_not_changed() -> None:
    spoken = flags((2, 9))
    uncovered(spoken, [(2, 9)], 20.0)
    assert np.array_equal(spoken, flags((2, 9)))


def test_seconds_of_speech() -> None:
    spoken = flags((2, 9), (12, 14))
    assert speech_s(spoken, 0, 20) == pytest.approx(9, abs=2 * FRAME_S)
    assert speech_s(spoken, 8, 13) == pytest.approx(2, abs=2 * FRAME_S)
    assert speech_s(spoken, 9.5, 11.5) == 0


def segment(length: int, end_s: float = 10.0, language: str | None = "en") -> Segment:
    """A segment of ``length`` letters from 0 on."""
    return Segment(0.0, end_s, " " + "a" * length, language=language)


ALL_SPEECH = flags((0, 20))


def rate_of(letters_per_s: float, segments: int) -> TextRate:
    rate = TextRate()
    rate.add([segment(round(10 * letters_per_s))] * segments, ALL_SPEECH)
    return rate


@pytest.mark.parametrize(
    ("letters", "language", "thin"),
    [
        (90, "en", False),
        (80, "en", True),
        (80, None, True),
        (0, "en", True),
        (80, "ja", False),
        (32, "ja", False),
        (28, "ja", True),
        (28, "zh", True),
    ],
)
def test_little_text_by_the_usual_rate(letters: int, language: str | None, thin: bool) -> None:
    one = segment(letters, language=language)
    for rate in (TextRate(), rate_of(30, segments=MIN_MEASURED_SEGMENTS - 1)):
        assert not rate.known
        assert rate.thin([one], ALL_SPEECH) == [one] * thin


@pytest.mark.parametrize(("letters", "thin"), [(130, False), (110, True)])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_little_text_by_the_recordings_own_rate(letters: int, thin: bool, language: str) -> None:
    rate, one = rate_of(20, MIN_MEASURED_SEGMENTS), segment(letters, language=language)
    assert rate.known
    assert rate.thin([one], ALL_SPEECH) == [one] * thin


def test_the_rate_is_a_median() -> None:
    rate = TextRate()
    rate.add([segment(length) for length in (10, 200, 200, 200, 9000)], ALL_SPEECH)
    assert rate.thin([segment(110), segment(130)], ALL_SPEECH) == [segment(110)]


def test_short_speech_is_neither_measured_nor_thin() -> None:
    rate = TextRate()
    rate.add([segment(5, end_s=1.9)] * MIN_MEASURED_SEGMENTS, ALL_SPEECH)
    assert not rate.known
    assert rate.thin([segment(1, end_s=2.9), segment(1, end_s=3.1)], ALL_SPEECH) == [
        segment(1, end_s=3.1)
    ]
    assert rate.thin([segment(1)], flags((0, 2.5))) == []
