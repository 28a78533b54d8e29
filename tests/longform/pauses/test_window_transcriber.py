"""One window: segments from timestamps, silence, and speech that is decoded again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from quest22.errors import EngineError
from quest22.longform.pauses.build import build_strategy
from quest22.longform.pauses.coverage import TextRate
from quest22.longform.pauses.cutting import Probabilities
from quest22.longform.pauses.speech_windows import SpeechWindow
from quest22.longform.pauses.window_transcriber import WindowTranscriber, timed_texts
from quest22.longform.speech_timeline import SpeechTimeline
from quest22.records import (
    SAMPLE_RATE_HZ,
    VAD_FRAME_SAMPLES,
    Alignment,
    Hypothesis,
    Segment,
    Window,
)
from quest22.settings import DecodingSettings
from quest22.settings.clip_options import ClipSettings
from tests.longform.pauses.scripted import Model, Told, drive, each_in_turn, speech
from tests.support.fake_whisper import NUMBERS, sound, timestamp_token

Spans = list[tuple[float, float]]


def heard(
    *told: int | float | tuple[int, ...], logprob: float = -0.2, no_speech: float = 0.1
) -> Hypothesis:
    """Whole numbers are words, others are times: ``heard(0.0, 1, 2, 4.0)``."""
    tokens = [timestamp_token(each) if isinstance(each, float) else each for each in told]
    return Hypothesis(tuple(tokens), "en", 1.0, logprob, no_speech)


SILENCE = heard(7, logprob=-1.5, no_speech=0.9)
LOOP = heard(*[3] * 60, logprob=-0.5)


def opened(
    probabilities: Probabilities, *, whole: bool = False, **decoding: object
) -> WindowTranscriber:
    """A window of 10 s that stands at second 100 of its clip; it is in English."""
    settings = ClipSettings(decoding=DecodingSettings(**decoding))
    rules = build_strategy(settings, NUMBERS, lambda: Told(probabilities)).rules
    timeline = SpeechTimeline()
    timeline.add(100 * SAMPLE_RATE_HZ, 10 * SAMPLE_RATE_HZ)
    frames = probabilities[: -(-10 * SAMPLE_RATE_HZ // VAD_FRAME_SAMPLES)]
    window = SpeechWindow(sound(10), timeline, frames, whole=whole)
    options = rules.quality.first_pass(rules.policy.decoding, whole=whole)
    return WindowTranscriber(rules, window, replace(options, language="en"), by_words=True)


def completed(transcriber: WindowTranscriber, model: Model) -> list[list[Window]]:
    rounds, _ = drive(transcriber.decode(), model)
    more, _ = drive(transcriber.complete(transcriber.hypothesis.language), model)
    return [*rounds, *more]


def spans(windows: Sequence[Window]) -> Spans:
    """Where windows lie within the first one, by their samples."""
    first = [each.samples[0] / SAMPLE_RATE_HZ for each in windows]
    return [(at, at + each.duration_s) for at, each in zip(first, windows, strict=True)]


def texts(segments: Sequence[Segment]) -> list[tuple[float, float, str]]:
    return [(each.start_s, each.end_s, each.text) for each in segments]


ALL_SPEECH = speech((0, 10), until_s=10)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ((), []),
        ((0.0, 10.0), []),
        ((1, 2), [(0, 10, (1, 2))]),
        ((0.0, 1, 2, 4.0), [(0, 4, (1, 2))]),
        ((0.0, 1, 4.0, 4.5, 2, 9.0), [(0, 4, (1,)), (4.5, 9, (2,))]),
        ((0.0, 1, 4.0, 4.0, 2, 3), [(0, 4, (1,)), (4, 10, (2, 3))]),
        ((1.0, 1), [(1, 10, (1,))]),
        ((1, 4.0, 2), [(0, 4, (1,)), (4, 10, (2,))]),
        ((0.0, 1, 4.0, 2, 6.0), [(0, 4, (1,)), (4, 6, (2,))]),
        ((0.0, 1, 12.0), [(0, 10, (1,))]),
        ((11.0, 1, 12.0), [(10, 10, (1,))]),
        ((5.0, 1, 3.0), [(5, 5, (1,))]),
    ],
)
def test_texts_between_timestamps(
    told: tuple[int | float, ...], expected: list[tuple[float, float, tuple[int, ...]]]
) -> None:
    assert timed_texts(heard(*told).tokens, NUMBERS.timestamp_begin, 10.0) == expected


def test_a_window_that_covers_its_speech_is_decoded_once() -> None:
    transcriber = opened(ALL_SPEECH)
    rounds = completed(transcriber, each_in_turn([heard(0.0, 1, 4.0, 4.0, 2, 10.0)]))
    assert [spans(each) for each in rounds] == [[(0, 10)]]
    assert rounds[0][0].start_s == 100
    assert texts(transcriber.segments) == [(0, 4, " 1"), (4, 10, " 2")]
    assert {each.avg_logprob for each in transcriber.segments} == {-0.2}


def test_text_without_timestamps_is_one_segment_and_covers_all() -> None:
    transcriber = opened(ALL_SPEECH)
    rounds = completed(transcriber, each_in_turn([heard(1, 2)]))
    assert len(rounds) == 1
    assert texts(transcriber.segments) == [(0, 10, " 1 2")]


def test_speech_without_text_is_decoded_on_its_own() -> None:
    transcriber = opened(ALL_SPEECH)
    answers = [heard(3.0, 2, 5.0), heard(0.0, 1, 3.0), heard(0.0, 3, 5.0)]
    rounds = completed(transcriber, each_in_turn(answers))
    assert len(rounds) == 2
    assert spans(rounds[1]) == [pytest.approx((0, 3)), pytest.approx((5, 10))]
    assert [each.start_s for each in rounds[1]] == [100, 105]
    assert texts(transcriber.segments) == [(0, 3, " 1"), (3, 5, " 2"), (5, 10, " 3")]


def test_speech_without_text_is_looked_for_three_times_in_depth() -> None:
    """A model that hears but the first second of whatever it gets."""
    transcriber = opened(ALL_SPEECH)
    rounds = completed(transcriber, lambda _window: heard(0.0, 1, 1.0))
    assert [spans(each)[0][0] for each in rounds] == pytest.approx([0, 1, 2, 3], abs=0.1)
    assert all(len(each) == 1 for each in rounds)
    assert [each.start_s for each in transcriber.segments] == pytest.approx([0, 1, 2, 3], abs=0.1)


def test_doubtful_parts_are_tried_again_too() -> None:
    transcriber = opened(ALL_SPEECH, temperature=(0.0,))
    answers = [heard(0.0, 1, 5.0), LOOP, heard(0.0, 2, 5.0)]
    rounds = completed(transcriber, each_in_turn(answers))
    assert [spans(each)[0][0] for each in rounds] == [0, 5, 5]
    assert texts(transcriber.segments) == [(0, 5, " 1"), (5, 10, " 2")]


def test_silence_gives_no_text() -> None:
    transcriber = opened(speech(until_s=10), temperature=(0.0,))
    completed(transcriber, lambda _window: SILENCE)
    assert transcriber.segments == []
    (dropped,) = transcriber.dropped
    assert (dropped.start_s, dropped.end_s, dropped.reason) == (0, 10, "no speech")
    assert dropped.text == "7"


def test_silence_with_speech_in_it_is_listened_to_closely() -> None:
    transcriber = opened(speech((4, 7), until_s=10), temperature=(0.0,))
    rounds = completed(
        transcriber,
        lambda window: SILENCE if window.duration_s == 10 else heard(0.0, 1, 3.0),
    )
    assert spans(rounds[-1]) == [pytest.approx((3.7, 7.3), abs=0.05)]
    assert [each.text for each in transcriber.segments] == [" 1"]
    assert transcriber.dropped == []


def test_silence_is_dropped_once_however_often_it_was_listened_to() -> None:
    transcriber = opened(speech((4, 7), until_s=10), temperature=(0.0,))
    rounds = completed(transcriber, lambda _window: SILENCE)
    assert len(rounds) > 3
    assert transcriber.segments == []
    assert [(each.start_s, each.end_s) for each in transcriber.dropped] == [(0, 10)]


def test_a_clip_that_is_one_window_without_timestamps_is_decoded_as_a_whole() -> None:
    transcriber = opened(ALL_SPEECH, whole=True)
    rounds = completed(transcriber, each_in_turn([heard(1, 2)]))
    assert [each.decoding.timestamps for windows in rounds for each in windows] == [False]
    assert texts(transcriber.segments) == [(0, 10, " 1 2")]
    drive(transcriber.thicken(TextRate()), each_in_turn([]))


def test_a_window_in_another_language_than_its_clip_is_decoded_again_in_that() -> None:
    transcriber = opened(ALL_SPEECH)
    detected = replace(heard(1), language="cy", languages=(("cy", 0.6), ("en", 0.3)))
    drive(transcriber.decode(), each_in_turn([detected]))
    rounds, _ = drive(transcriber.complete("en"), each_in_turn([heard(2)]))
    assert [each.decoding.language for windows in rounds for each in windows] == ["en"]
    (segment,) = transcriber.segments
    assert (segment.text, segment.language, segment.language_probability) == (" 2", "en", 0.3)


def test_a_clip_in_a_doubtful_language_is_tried_in_others() -> None:
    transcriber = opened(ALL_SPEECH, whole=True)
    detected = replace(
        heard(1, logprob=-0.9), language_probability=0.5, languages=(("en", 0.5), ("de", 0.4))
    )
    german = replace(heard(2), language="de")
    rounds = completed(transcriber, each_in_turn([detected, german]))
    assert [each.decoding.language for each in rounds[1]] == ["de"]
    assert (transcriber.segments[0].text, transcriber.hypothesis.language) == (" 2", "de")


THIN = heard(0.0, 1, 10.0)
MORE = [heard(0.0, 500, 501, 502, 5.0), heard(0.0, 503, 504, 505, 5.0)]


def thickened(answers: Sequence[Hypothesis]) -> tuple[list[list[Window]], list[Segment]]:
    pause = ALL_SPEECH.copy()
    pause[150:170] = 0.0
    transcriber = opened(pause, temperature=(0.0,))
    completed(transcriber, each_in_turn([THIN]))
    rounds, _ = drive(transcriber.thicken(TextRate()), each_in_turn(answers))
    return rounds, transcriber.segments


def test_a_thin_segment_is_cut_at_its_pauses_and_gives_way_to_longer_text() -> None:
    rounds, segments = thickened(MORE)
    (windows,) = rounds
    first, second = spans(windows)
    assert first[0] == 0
    assert first[1] == pytest.approx(second[0])
    assert second[1] == pytest.approx(10)
    assert 150 * 0.032 <= second[0] <= 170 * 0.032
    assert [each.text for each in segments] == [" 500 501 502", " 503 504 505"]
    assert segments[1].start_s == pytest.approx(second[0])


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([MORE[0], heard(*[3] * 20)], "a loop"),
        ([replace(each, avg_logprob=-0.8) for each in MORE], "improbable"),
        ([MORE[0], replace(MORE[1], avg_logprob=-1.3)], "one part is improbable"),
    ],
)
def test_a_thin_segment_stays_if_the_longer_text_is_not_believed(
    answers: list[Hypothesis], why: str
) -> None:
    retried = [answers[-1]] * 4
    _, segments = thickened([*answers, *retried])
    assert texts(segments) == [(0, 10, " 1")], why


def test_a_thin_segment_stays_if_its_parts_say_as_little() -> None:
    _, segments = thickened([heard(0.0, 1, 5.0), heard()])
    assert texts(segments) == [(0, 10, " 1")]


def test_enough_text_is_not_thickened() -> None:
    transcriber = opened(ALL_SPEECH)
    words = heard(0.0, *range(100, 130), 10.0)
    completed(transcriber, each_in_turn([words]))
    assert drive(transcriber.thicken(TextRate()), each_in_turn([])) == ([], None)


def test_words_have_times_in_the_window() -> None:
    transcriber = opened(ALL_SPEECH, word_timestamps=True)
    answers = [
        replace(heard(0.0, 1, 2, 5.0), alignment=Alignment((0.0, 2.0, 4.5), (0.5, 0.25))),
        replace(heard(0.5, 3, 5.0), alignment=Alignment((1.0, 3.0), (0.75,))),
    ]
    rounds = completed(transcriber, each_in_turn(answers))
    assert all(each.decoding.words for windows in rounds for each in windows)
    words = [word for each in transcriber.segments for word in each.words]
    assert [(each.text, each.probability) for each in words] == [
        (" 1", 0.5),
        (" 2", 0.25),
        (" 3", 0.75),
    ]
    assert words[1].end_s <= 4.5
    assert words[2].end_s == pytest.approx(4.5 + 3.0, abs=0.6)


def test_an_engine_without_alignment_is_an_error() -> None:
    with pytest.raises(EngineError, match="no word timestamps: expected an alignment"):
        completed(opened(ALL_SPEECH, word_timestamps=True), each_in_turn([heard(1)]))


def test_text_so_far() -> None:
    transcriber = opened(ALL_SPEECH)
    with pytest.raises(RuntimeError, match="not decoded yet"):
        _ = transcriber.hypothesis
    drive(transcriber.decode(), each_in_turn([heard(0.0, 1, 10.0)]))
    assert transcriber.text == " 1"
    assert np.array_equal(transcriber.is_speech, ALL_SPEECH[:313] >= 0.5)
