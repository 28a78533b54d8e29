"""The rules by themselves; with openai/whisper they are compared in test_sequential_openai.py."""

from __future__ import annotations

import pytest

from quest22.longform.hallucination_silence import (
    KeptSegments,
    SilenceContext,
    drop_in_silence,
    is_anomaly,
)
from quest22.records import Segment, Word

CONTEXT = SilenceContext(
    start_s=100.0, duration_s=30.0, last_speech_s=100.0, clip_s=300.0, threshold_s=2.0
)


def segment(start_s: float, end_s: float, *, likely: bool = True) -> Segment:
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
        (segment(0, 1), False),
        (segment(0, 1, likely=False), True),
        (segment(0, 0.02), True),
        (segment(0, 9), True),
        (Segment(0, 1, "...", words=(Word(0, 1, ".", 0.01), Word(0, 1, " a", 0.9))), False),
    ],
)
def test_unlikely_short_and_long_words_are_anomalies(
    segment: Segment | None, expected: bool
) -> None:
    assert is_anomaly(segment) is expected


# segments; how many remain, and the frame of the next window
CASES = [
    ([], 0, None),
    ([segment(101, 102), segment(103, 104)], 2, None),
    ([segment(103, 104, likely=False)], 0, 10_300),
    ([segment(101, 102), segment(110, 111, likely=False)], 1, 11_000),
    ([segment(101, 102), segment(103, 104, likely=False), segment(105, 106)], 3, None),
    ([segment(101, 102), segment(110, 111, likely=False), segment(112, 113)], 3, None),
]


@pytest.mark.parametrize(("segments", "count", "seek"), CASES)
def test_what_is_made_up_in_silence_is_dropped(
    segments: list[Segment], count: int, seek: int | None
) -> None:
    assert drop_in_silence(segments, CONTEXT) == KeptSegments(count, seek)
