from __future__ import annotations

import pytest

from quest22.decoding.fallback import compression_ratio
from quest22.longform.transcript import (
    LanguageSpan,
    build_transcript,
    confidence,
    prevailing_language,
)
from quest22.records import Clip, Confidence, DroppedSegment, Origin, Segment

SEGMENTS = (
    Segment(0, 1, " a", (1,), avg_logprob=-1.0, no_speech_prob=0.2, temperature=0.4),
    Segment(1, 2, " b c d", (2, 3, 4), avg_logprob=-0.2, no_speech_prob=0.6),
)

LANGUAGES = [
    ([], (None, 0.0)),
    ([("en", 0.5, 4)], ("en", 0.5)),
    ([("en", 0.5, 4), ("ru", 0.75, 4)], ("ru", 0.375)),
    ([("en", 0.5, 12), ("ru", 0.75, 4)], ("en", 0.375)),
    ([(None, 1.0, 4)], (None, 1.0)),
]


@pytest.mark.parametrize(("spans", "expected"), LANGUAGES)
def test_the_language_of_the_most_probable_length(
    spans: list[tuple[str | None, float, int]], expected: tuple[str | None, float]
) -> None:
    assert prevailing_language(LanguageSpan(*span) for span in spans) == expected


def test_confidence_weighs_segments_by_their_tokens() -> None:
    made = confidence(SEGMENTS, "a b c d")
    assert made.avg_logprob == pytest.approx(-0.4)
    assert made.no_speech_prob == pytest.approx(0.5)
    assert (made.compression_ratio, made.temperature) == (compression_ratio("a b c d"), 0.4)
    assert confidence((), "") == Confidence()


def test_a_clip_is_carried_through() -> None:
    clip = Clip("k", "n", b"", Origin("d", row=4), reference="one", columns={"speaker": 7})
    dropped = (DroppedSegment(2, 3, "no speech"),)
    made = build_transcript(clip, 3.0, "a b c d", SEGMENTS, ("en", 0.5), dropped)
    assert (made.key, made.name, made.origin) == ("k", "n", Origin("d", row=4))
    assert (made.reference, made.columns) == ("one", {"speaker": 7})
    assert (made.language, made.language_probability, made.duration_s) == ("en", 0.5, 3.0)
    assert (made.segments, made.dropped) == (SEGMENTS, dropped)
    assert made.confidence == confidence(SEGMENTS, "a b c d")
