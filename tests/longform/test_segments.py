from __future__ import annotations

import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.decoding.fallback import compression_ratio
from quest22.records import Hypothesis, Transcript
from tests.support.fake_whisper import (
    NUMBERS,
    FakeWhisper,
    make_hypothesis,
    sound,
    timestamp_token,
    transcribe,
)

Times = list[tuple[float, float, str]]


def times(transcript: Transcript) -> Times:
    return [(each.start_s, each.end_s, each.text) for each in transcript.segments]


def answers(*hypotheses: tuple[int, ...]) -> dict[int, Hypothesis]:
    return {index: make_hypothesis(*tokens) for index, tokens in enumerate(hypotheses)}


@pytest.mark.parametrize(
    ("duration_s", "tokens", "expected"),
    [
        (10.0, (), []),
        (10.0, (timestamp_token(0), 1, 2, timestamp_token(4)), [(0, 4, " 1 2")]),
        (
            10.0,
            (
                timestamp_token(0),
                1,
                timestamp_token(4),
                timestamp_token(4.5),
                2,
                timestamp_token(9),
            ),
            [(0, 4, " 1"), (4.5, 9, " 2")],
        ),
        (10.0, (timestamp_token(1), 1, 2), [(1, 10, " 1 2")]),
        (10.0, (timestamp_token(0), 1, timestamp_token(12)), [(0, 10, " 1")]),
        (10.0, (timestamp_token(11), 1, timestamp_token(12)), [(0, 10, " 1")]),
        (10.0, (1, 2, timestamp_token(4)), [(0, 4, " 1 2")]),
        (
            10.0,
            (timestamp_token(2), 1, timestamp_token(2), timestamp_token(2), 2, timestamp_token(5)),
            [(0, 2, " 1"), (2, 5, " 2")],
        ),
    ],
)
def test_utterances_of_one_window(
    duration_s: float, tokens: tuple[int, ...], expected: Times
) -> None:
    transcript = transcribe(
        sound(duration_s), lambda _window: make_hypothesis(*tokens), timestamps=True
    )
    assert times(transcript) == expected


TWO_WINDOWS = [
    pytest.param(
        (
            timestamp_token(0),
            1,
            2,
            timestamp_token(18),
            timestamp_token(18),
            3,
            4,
            5,
            timestamp_token(26),
            timestamp_token(26),
            6,
            timestamp_token(29),
        ),
        (
            timestamp_token(0),
            3,
            4,
            5,
            timestamp_token(6),
            timestamp_token(6),
            6,
            7,
            timestamp_token(11),
        ),
        [(0, 18, " 1 2"), (18, 26, " 3 4 5"), (26, 31, " 6 7")],
        id="one goes over in the middle of an utterance",
    ),
    pytest.param(
        (
            timestamp_token(0),
            1,
            2,
            timestamp_token(19),
            timestamp_token(20),
            3,
            4,
            timestamp_token(23),
            timestamp_token(23),
            5,
            6,
            timestamp_token(27),
        ),
        (
            timestamp_token(0),
            3,
            4,
            timestamp_token(3),
            timestamp_token(3),
            5,
            6,
            timestamp_token(7),
            timestamp_token(8),
            7,
            timestamp_token(11),
        ),
        [(0, 19, " 1 2"), (20, 23, " 3 4"), (23, 27, " 5 6"), (28, 31, " 7")],
        id="inside the overlap utterances stay apart",
    ),
    pytest.param(
        (timestamp_token(0), 1, 2, 3, 4),
        (timestamp_token(0), 3, 4, 5, timestamp_token(8)),
        [(0, 28, " 1 2 3 4 5")],
        id="the first window never heard the end",
    ),
    pytest.param(
        (timestamp_token(0), 1, 2, timestamp_token(26)),
        (timestamp_token(2), 8, 9, timestamp_token(5), timestamp_token(5), 7, timestamp_token(11)),
        [(0, 22, " 1 2"), (22, 25, " 8 9"), (25, 31, " 7")],
        id="an utterance ends when the next starts",
    ),
    pytest.param(
        (
            timestamp_token(0),
            1,
            timestamp_token(23),
            timestamp_token(23),
            2,
            timestamp_token(27),
            timestamp_token(28),
            3,
            4,
            timestamp_token(29),
        ),
        (timestamp_token(1), 8, 9, timestamp_token(5), timestamp_token(8), 7, timestamp_token(11)),
        [(0, 23, " 1"), (23, 27, " 2"), (28, 31, " 3 4 8 9 7")],
        id="what starts before the one before it joins that one",
    ),
]


@pytest.mark.parametrize(("first", "second", "expected"), TWO_WINDOWS)
def test_utterances_across_windows(
    first: tuple[int, ...], second: tuple[int, ...], expected: Times
) -> None:
    heard = answers(first, second)
    transcript = transcribe(sound(31), lambda window: heard[window.index], timestamps=True)
    assert times(transcript) == expected


def test_a_second_pass_has_its_own_times() -> None:
    passes = [
        make_hypothesis(timestamp_token(0), 1, timestamp_token(12), timestamp_token(12)),
        make_hypothesis(timestamp_token(1), 2, timestamp_token(4), timestamp_token(4)),
        make_hypothesis(timestamp_token(0), 3, timestamp_token(5)),
    ]
    transcript = transcribe(sound(30), lambda _window: passes.pop(0), timestamps=True)
    assert times(transcript) == [(0, 12, " 1"), (13, 16, " 2"), (16, 21, " 3")]


def test_without_timestamps_windows_give_segments_that_cover_the_clip() -> None:
    heard = answers((1, 2, 3, 4), (3, 4, 5, 6), (5, 6, 7))
    transcript = transcribe(sound(62), lambda window: heard[window.index])
    assert times(transcript) == [(0, 25, " 1 2 3"), (25, 45, " 4 5"), (45, 62, " 6 7")]


def test_without_timestamps_no_word_is_parted() -> None:
    heard = answers((1, 2, 850, 851), (2, 850, 851, 3))
    transcript = transcribe(sound(31), lambda window: heard[window.index])
    assert times(transcript) == [(0, 25, " 1 2-850-851"), (25, 31, " 3")]


def test_a_segment_tells_how_it_was_heard() -> None:
    answer = Hypothesis(
        (timestamp_token(0), 5, 5, 5, timestamp_token(3)), "en", 1.0, -0.5, 0.25, 0.4
    )
    (segment,) = transcribe(sound(5), lambda _window: answer, timestamps=True).segments
    assert segment.tokens == (5, 5, 5)
    assert (segment.avg_logprob, segment.no_speech_prob, segment.temperature) == (-0.5, 0.25, 0.4)
    assert segment.compression_ratio == compression_ratio(" 5 5 5")


def test_compression_ratio_is_that_of_zlib() -> None:
    text = "да " * 50
    assert compression_ratio(text) == len(text.encode()) / len(zlib.compress(text.encode()))
    assert compression_ratio(text) > 2.4 > compression_ratio("nothing is said twice here")


@settings(max_examples=40)
@given(
    seed=st.integers(0, 9**9),
    duration_s=st.integers(1, 120),
    mistakes=st.sampled_from([0.0, 0.1, 0.5]),
    timestamps=st.booleans(),
)
def test_segments_are_in_order_and_hold_the_whole_text(
    seed: int, duration_s: int, mistakes: float, *, timestamps: bool
) -> None:
    words = [(float(at), (at * 7919 + seed) % 800) for at in range(duration_s)]
    whisper = FakeWhisper(words, seed, mistakes)
    transcript = transcribe(sound(duration_s), whisper, timestamps=timestamps)
    spans = [(each.start_s, each.end_s) for each in transcript.segments]
    assert all(0 <= start < end <= duration_s for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert "".join(each.text for each in transcript.segments).strip() == transcript.text
    assert NUMBERS.decode([t for s in transcript.segments for t in s.tokens]).strip() == (
        transcript.text
    )


def test_times_are_those_of_the_words() -> None:
    words = [(float(at), at) for at in range(200)]
    whisper = FakeWhisper(words, seed=1, mistakes=0.0, breaks=0.5)
    transcript = transcribe(sound(200), whisper, timestamps=True)
    assert transcript.text == NUMBERS.decode(range(200)).strip()
    assert len(transcript.segments) > 50
    for segment in transcript.segments:
        assert segment.start_s <= segment.tokens[0] + 0.1
        assert segment.end_s >= segment.tokens[-1]
