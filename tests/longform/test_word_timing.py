"""Words of clips that several windows heard."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quest22.decoding.timestamps import drop_unfinished
from quest22.errors import EngineError
from quest22.longform.chunked import ChunkedStrategy
from quest22.records import Alignment, Hypothesis, Transcript, Window
from quest22.settings import DecodingSettings, LongFormSettings
from tests.support.fake_whisper import (
    CLIP,
    NUMBERS,
    FakeWhisper,
    make_hypothesis,
    sound,
    timestamp_token,
)

Times = list[tuple[float, float, str]]


def hear(
    duration_s: float, listen: Callable[[Window], Hypothesis], *, timestamps: bool = True
) -> Transcript:
    """Run one clip through windows of 30 s that overlap by 10, words asked for."""
    asked = DecodingSettings(timestamps=timestamps, word_timestamps=True)
    long_form = ChunkedStrategy(LongFormSettings(), asked, NUMBERS).open(CLIP)
    todo = long_form.feed(sound(duration_s)) + long_form.flush()
    while todo:
        window = todo.pop(0)
        assert window.decoding.words
        todo = long_form.add_result(window, listen(window)) + todo
    return long_form.close()


def timed(hypothesis: Hypothesis, *bounds_s: float) -> Hypothesis:
    shares = tuple(0.5 for _ in bounds_s[1:])
    return replace(hypothesis, alignment=Alignment(bounds_s, shares))


def words(transcript: Transcript) -> Times:
    return [
        (word.start_s, word.end_s, word.text)
        for segment in transcript.segments
        for word in segment.words or ()
    ]


def test_one_window_keeps_its_times() -> None:
    heard = timed(
        make_hypothesis(timestamp_token(0), 1, 2, 3, timestamp_token(4)), 1.0, 1.5, 2.0, 2.5
    )
    transcript = hear(10, lambda _: heard)
    assert words(transcript) == [(1.0, 1.5, " 1"), (1.5, 2.0, " 2"), (2.0, 2.5, " 3")]
    assert [(each.start_s, each.end_s) for each in transcript.segments] == [(1.0, 2.5)]


@pytest.mark.parametrize("timestamps", [True, False])
def test_words_of_an_overlap_keep_the_times_of_the_window_they_are_from(timestamps: bool) -> None:
    marks = {0: (timestamp_token(0),), 1: (timestamp_token(0),)} if timestamps else {0: (), 1: ()}
    answers = {
        0: timed(make_hypothesis(*marks[0], 1, 2, 3, 4), 5.0, 6.0, 25.0, 26.0, 27.0),
        1: timed(make_hypothesis(*marks[1], 2, 3, 4, 5), 3.0, 4.9, 6.1, 7.0, 8.0),
    }
    transcript = hear(35, lambda window: answers[window.index])
    starts = [(start_s, text) for start_s, _, text in words(transcript)]
    assert [text for _, text in starts] == [" 1", " 2", " 3", " 4", " 5"]
    assert starts[-2:] == [(26.1, " 4"), (27.0, " 5")]


def test_a_word_of_two_windows_begins_in_one_and_ends_in_the_other() -> None:
    ending = 850  # joins the word before it
    answers = {
        0: timed(make_hypothesis(1, 2, ending), 23.6, 24.6, 25.0, 29.0),
        1: timed(make_hypothesis(2, ending, 3), 4.6, 5.2, 5.5, 6.5),
    }
    assert words(hear(35, lambda window: answers[window.index]))[1:] == [
        (24.6, 25.5, " 2-850"),
        (25.5, 26.5, " 3"),
    ]


def test_a_window_that_is_heard_on_counts_from_there() -> None:
    first = timed(
        make_hypothesis(timestamp_token(0), 1, timestamp_token(5), timestamp_token(5), 2), 0.5, 1.0
    )
    second = timed(make_hypothesis(timestamp_token(0), 2, timestamp_token(2)), 0.5, 1.0)
    transcript = hear(10, lambda window: second if window.skip_frames else first)
    assert words(transcript) == [(0.5, 1.0, " 1"), (5.5, 6.0, " 2")]


def test_an_engine_that_does_not_align_is_told() -> None:
    with pytest.raises(EngineError, match="no word timestamps"):
        hear(10, lambda _: make_hypothesis(1, 2))
    with pytest.raises(EngineError, match="one for each text token"):
        hear(10, lambda _: timed(make_hypothesis(1, 2), 0.0, 1.0))


class AligningWhisper:
    """A model that says where its words are, now and then wildly wrong."""

    def __init__(self, whisper: FakeWhisper) -> None:
        self.whisper = whisper

    def __call__(self, window: Window) -> Hypothesis:
        heard = self.whisper(window)
        tokens, _ = drop_unfinished(heard.tokens, NUMBERS.timestamp_begin)
        count = sum(token < NUMBERS.eot for token in tokens)
        chance = random.Random(f"{self.whisper.seed} {window.index} {window.skip_frames} times")
        frames = int(window.duration_s * 100 - window.skip_frames) // 2
        bounds = sorted(chance.randrange(frames + 1) for _ in range(count + 1))
        return timed(heard, *(frame / 50 for frame in bounds))


@given(
    st.integers(0, 10_000),
    st.floats(1, 100),
    st.booleans(),
    st.floats(0.2, 3).map(lambda pace_s: round(pace_s, 2)),
)
@example(seed=6557, duration_s=12.75, timestamps=True, pace_s=0.2)  # rounding: ends before starts
def test_words_make_the_text_and_lie_in_order(seed, duration_s, timestamps, pace_s):
    spoken = [(at * pace_s, at % 800) for at in range(int(duration_s / pace_s))]
    whisper = AligningWhisper(FakeWhisper(spoken, seed))
    transcript = hear(duration_s, whisper, timestamps=timestamps)
    found = words(transcript)
    assert "".join(text for *_, text in found).strip() == transcript.text
    assert "".join(each.text for each in transcript.segments).strip() == transcript.text
    assert all(0 <= start_s <= end_s <= transcript.duration_s for start_s, end_s, _ in found)
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(transcript.segments))
    assert all(each.start_s <= each.end_s for each in transcript.segments)
