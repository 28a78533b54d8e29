from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.longform.pause_splitting import (
    LONG_PAUSE_S,
    MIN_LEFT_OUT_S,
    outside,
    split_at_pauses,
)
from quest22.longform.speech_timeline import SpeechTimeline
from quest22.records import SAMPLE_RATE_HZ, DroppedSegment, Segment, Word
from tests.support.fake_whisper import NUMBERS


def spoken(*words: tuple[int, float, float]) -> Segment:
    """A segment of numbers with their times, in seconds."""
    made = tuple(Word(start_s, end_s, f" {number}", 1.0) for number, start_s, end_s in words)
    text = "".join(word.text for word in made)
    tokens = tuple(number for number, _, _ in words)
    return Segment(made[0].start_s, made[-1].end_s, text, tokens, words=made)


def never(_before_s: float, _after_s: float) -> bool:
    return False


def parts(segment: Segment, *, keep_words: bool = False) -> list[tuple[float, float, str]]:
    split = split_at_pauses(segment, never, NUMBERS, keep_words=keep_words)
    assert all((each.words is not None) == keep_words for each in split)
    return [(each.start_s, each.end_s, each.text) for each in split]


@pytest.mark.parametrize("keep_words", [True, False])
def test_a_segment_ends_before_a_long_pause(keep_words: bool) -> None:
    segment = spoken((1, 0, 1), (2, 1, 1.5), (3, 8, 9), (4, 10.9, 11))
    assert parts(segment, keep_words=keep_words) == [(0, 1.5, " 1 2"), (8, 11, " 3 4")]
    split = split_at_pauses(segment, never, NUMBERS, keep_words=keep_words)
    assert [each.tokens for each in split] == [(1, 2), (3, 4)]


def test_timestamp_tokens_stay_at_the_ends() -> None:
    segment = spoken((1, 0, 1), (2, 8, 9))
    timed = Segment(0, 9, segment.text, (1000, 1, 2, 1450), words=segment.words)
    split = split_at_pauses(timed, never, NUMBERS, keep_words=False)
    assert [each.tokens for each in split] == [(1000, 1), (2, 1450)]


def test_audio_that_was_left_out_parts_words_however_near() -> None:
    segment = spoken((1, 0, 1), (2, 1.2, 2), (3, 2.1, 3))
    split = split_at_pauses(segment, lambda _, after: after > 2, NUMBERS, keep_words=True)
    assert [each.text for each in split] == [" 1 2", " 3"]


def test_text_without_words_stays_as_it_is() -> None:
    segment = Segment(0, 99, " 1 2", (1, 2))
    assert split_at_pauses(segment, never, NUMBERS, keep_words=False) == [segment]


def test_only_silences_outside_segments_are_told() -> None:
    silences = [DroppedSegment(*each, "no speech") for each in [(0, 1), (2, 2.5), (4, 9), (11, 12)]]
    segments = [Segment(1, 4, " a"), Segment(9, 10, " b")]
    assert [each.start_s for each in outside(silences, segments)] == [0, 4, 11]
    assert outside(silences, []) == silences


def test_a_start_that_is_rounded_to_before_its_span_is_in_it() -> None:
    timeline = SpeechTimeline()
    timeline.add(0, 834_000)
    timeline.add(858_000, 16_000)  # at 53.625 s, which is rounded to 53.62
    segment = timeline.segment(spoken((0, 0.0, 52.0), (1, 52.0, 53.0)))
    split = split_at_pauses(segment, timeline.is_apart, NUMBERS, keep_words=True)
    assert [(each.start_s, each.end_s) for each in split] == [(0.0, 52.0), (53.62, 54.5)]


SPANS = st.lists(
    st.tuples(st.floats(0, 30).map(lambda s: round(s, 2)), st.floats(0.3, 20)), min_size=1
)


@given(SPANS, st.data())
def test_no_caption_lies_over_what_was_left_out(
    spans: list[tuple[float, float]], data: st.DataObject
) -> None:
    timeline, at = SpeechTimeline(), 0
    for silence_s, speech_s in spans:
        at += round(silence_s * SAMPLE_RATE_HZ)
        timeline.add(at, round(speech_s * SAMPLE_RATE_HZ))
        at += round(speech_s * SAMPLE_RATE_HZ)
    total_s = timeline.total / SAMPLE_RATE_HZ
    times = sorted(data.draw(st.lists(st.floats(0, total_s), min_size=2, max_size=40)))
    words = [(number, *pair) for number, pair in enumerate(pairwise(times))]
    segment = timeline.segment(spoken(*words))
    split = split_at_pauses(segment, timeline.is_apart, NUMBERS, keep_words=True)
    assert "".join(each.text for each in split) == segment.text
    assert sum((each.tokens for each in split), ()) == segment.tokens
    for before, after in pairwise(split):
        assert before.end_s <= after.start_s
    for each in split:
        assert each.words is not None
        assert each.start_s <= each.words[0].start_s
        for one, two in pairwise(each.words):
            assert two.start_s - one.end_s < LONG_PAUSE_S
        for silence in timeline.silences(at):
            over_s = min(each.end_s, silence.end_s) - max(each.start_s, silence.start_s)
            assert over_s < MIN_LEFT_OUT_S + 0.01
    mapped = {number: (start_s, end_s) for number, start_s, end_s in words}
    for word in segment.words or ():
        start_s, end_s = mapped[int(word.text)]
        middle = timeline.start_s((start_s + end_s) / 2)
        assert word.start_s - 0.02 <= middle <= word.end_s + 0.02 or end_s - start_s < 0.02
