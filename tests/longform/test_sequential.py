"""The sequential long form with scripted models; parity is tested in files of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.errors import ClipError
from quest22.longform.hallucination import LOOP, NO_SPEECH
from quest22.longform.sequential import (
    FeatureBuffer,
    SequentialClip,
    SequentialStrategy,
    clip_spans,
)
from quest22.records import Hypothesis, Samples, Transcript, Window
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings
from tests.support.fake_whisper import CLIP, NUMBERS, make_hypothesis, timestamp_token


class Silence:
    """Frames of nothing, as many as there is sound for."""

    def __init__(self) -> None:
        self.samples = 0

    def feed(self, samples: Samples) -> np.ndarray:
        before, self.samples = self.samples, self.samples + len(samples)
        return np.zeros((2, self.samples // 160 - before // 160), np.float32)

    def flush(self) -> np.ndarray:
        return np.zeros((2, 0), np.float32)


def opened(
    hallucination: HallucinationSettings | None = None,
    clip_timestamps: tuple[float, ...] = (),
    **asked: object,
) -> SequentialClip:
    decoding = DecodingSettings(timestamps=True, **asked)  # type: ignore[arg-type]
    settings_ = LongFormSettings(long_form="sequential", clip_timestamps=clip_timestamps)
    strategy = SequentialStrategy(
        settings_, decoding, NUMBERS, hallucination or HallucinationSettings(), Silence
    )
    return strategy.open(CLIP)


def seconds(duration_s: float) -> Samples:
    return np.zeros(round(duration_s * 16_000), np.float32)


def begun(open_clip: SequentialClip, duration_s: float) -> Window:
    """The first window of a clip."""
    assert open_clip.feed(seconds(duration_s)) == []
    (window,) = open_clip.flush()
    return window


def test_the_next_window_begins_at_the_last_timestamp_and_knows_the_text() -> None:
    open_clip = opened(initial_prompt="7")
    window = begun(open_clip, 50.0)
    assert (window.start_s, window.duration_s, window.decoding.previous) == (0.0, 30.0, (7,))
    tokens = (timestamp_token(0), 1, 2, timestamp_token(12.5), timestamp_token(13), 3)
    (window,) = open_clip.add_result(window, make_hypothesis(*tokens))
    assert (window.start_s, window.duration_s) == (12.5, 30.0)
    assert window.decoding.previous == (7, *tokens[:4])
    assert window.decoding.language == "en"
    (window,) = open_clip.add_result(
        window, make_hypothesis(timestamp_token(1), 4, timestamp_token(2))
    )
    assert (window.start_s, window.duration_s) == (42.5, 7.5)
    assert (
        open_clip.add_result(window, make_hypothesis(timestamp_token(0), 5, timestamp_token(9)))
        == []
    )
    assert open_clip.finished
    made = open_clip.close()
    assert made.text == "1 2 4 5"
    assert [(each.start_s, each.end_s) for each in made.segments] == [
        (0.0, 12.5),
        (12.5, 14.5),
        (42.5, 50.0),
    ]


def test_a_window_that_is_not_believed_is_heard_again_hotter() -> None:
    open_clip = opened(temperature=(0.0, 0.4), sampling_seed=3)
    window = begun(open_clip, 5.0)
    unsure = replace(make_hypothesis(timestamp_token(0), 1, timestamp_token(2)), avg_logprob=-2.0)
    (again,) = open_clip.add_result(window, unsure)
    assert (again.decoding.temperature, again.start_s) == (0.4, window.start_s)
    assert again.decoding.search.seed == (3,)
    assert again.features is window.features
    assert open_clip.add_result(again, replace(unsure, temperature=0.4)) == []
    (segment,) = open_clip.close().segments
    assert (segment.text, segment.temperature) == (" 1", 0.4)


def test_silence_is_skipped_and_put_down() -> None:
    open_clip = opened()
    window = begun(open_clip, 40.0)
    silent = replace(
        make_hypothesis(timestamp_token(0), 1, timestamp_token(2)),
        avg_logprob=-2.0,
        no_speech_prob=0.9,
    )
    (window,) = open_clip.add_result(window, silent)
    assert (window.start_s, window.decoding.previous) == (30.0, ())
    open_clip.add_result(window, make_hypothesis(timestamp_token(0), 2, timestamp_token(2)))
    made = open_clip.close()
    assert made.text == "2"
    (dropped,) = made.dropped
    assert (dropped.start_s, dropped.end_s, dropped.reason) == (0.0, 30.0, NO_SPEECH)
    assert dropped.text == "1"


def test_a_loop_that_no_temperature_mends_is_put_down() -> None:
    open_clip = opened(temperature=(0.0,))
    looping = make_hypothesis(
        timestamp_token(0),
        1,
        timestamp_token(2),
        timestamp_token(2),
        *[3, 4] * 60,
        timestamp_token(20),
    )
    open_clip.add_result(begun(open_clip, 25.0), looping)
    made = open_clip.close()
    assert made.text == "1"
    assert [each.reason for each in made.dropped] == [LOOP]


def test_only_the_clips_spans_are_transcribed() -> None:
    open_clip = opened(clip_timestamps=(2.0, 4.5, 10.0))
    window = begun(open_clip, 12.0)
    assert (window.start_s, window.duration_s) == (2.0, 2.5)
    (window,) = open_clip.add_result(
        window, make_hypothesis(timestamp_token(0), 1, timestamp_token(2))
    )
    assert (window.start_s, window.duration_s) == (10.0, 2.0)
    open_clip.add_result(window, make_hypothesis(timestamp_token(0), 2, timestamp_token(2)))
    assert open_clip.close().duration_s == 12.0


@pytest.mark.parametrize("multilingual", [False, True])
def test_a_language_for_each_clip_or_for_each_window(multilingual: bool) -> None:
    open_clip = opened(multilingual=multilingual)
    window = begun(open_clip, 50.0)
    (window,) = open_clip.add_result(
        window, make_hypothesis(timestamp_token(0), 1, timestamp_token(2), language="ru", sure=0.8)
    )
    assert window.decoding.language == (None if multilingual else "ru")
    open_clip.add_result(
        window,
        make_hypothesis(
            timestamp_token(0), 2, timestamp_token(2), language="en" if multilingual else "ru"
        ),
    )
    made = open_clip.close()
    assert [each.language for each in made.segments] == ["ru", "en" if multilingual else "ru"]
    assert made.segments[0].language_probability == 0.8


def test_no_sound_is_a_failure_and_next_to_none_a_silence() -> None:
    with pytest.raises(ClipError, match="holds no sound"):
        opened().flush()
    open_clip = opened()
    open_clip.feed(seconds(0.005))
    assert open_clip.flush() == []
    assert (open_clip.finished, open_clip.close().text) == (True, "")


def test_sound_waits_outside_while_a_window_is_on_its_way() -> None:
    open_clip = opened()
    windows: list[Window] = []
    while not windows:
        assert open_clip.wants_audio
        windows = open_clip.feed(seconds(30.0))
    assert not open_clip.wants_audio
    open_clip.add_result(windows[0], make_hypothesis(timestamp_token(0), 1, timestamp_token(2)))
    assert open_clip.wants_audio


def test_clip_spans() -> None:
    assert [pair[0] for pair in clip_spans(())] == [0]
    assert clip_spans((1.0, 2.5)) == ((100, 250),)
    assert [pair[0] for pair in clip_spans((1.0, 2.5, 3.0))] == [100, 300]


answers = st.lists(
    st.tuples(st.lists(st.integers(200, 1500), max_size=6), st.booleans(), st.floats(-2, 0)),
    min_size=1,
    max_size=20,
)


@settings(max_examples=25)
@given(answers=answers, duration_s=st.floats(0.1, 100))
def test_whatever_is_heard_the_clip_ends_with_its_segments_in_it(
    answers: list[tuple[list[int], bool, float]], duration_s: float
) -> None:
    open_clip = opened(temperature=(0.0, 1.0))
    todo = open_clip.feed(seconds(duration_s)) + open_clip.flush()
    heard = 0
    while todo:
        window = todo.pop()
        times, alone, sure = answers[heard % len(answers)]
        heard += 1
        pairs = [token for time in sorted(times) for token in (7, 1000 + time, 1000 + time)]
        spoken = (1000, *(pairs[:-1] if alone else pairs))
        temperature = window.decoding.temperature
        todo += open_clip.add_result(window, Hypothesis(spoken, "en", 1.0, sure, 0.1, temperature))
    assert open_clip.finished
    check(open_clip.close())


def check(made: Transcript) -> None:
    assert made.text == "".join(each.text for each in made.segments).strip()
    for segment in made.segments:
        assert 0 <= segment.start_s <= segment.end_s <= made.duration_s


@given(
    sizes=st.lists(st.integers(0, 900), min_size=1, max_size=8),
    first=st.integers(0, 3000),
    dropped=st.integers(0, 3000),
)
def test_a_window_holds_its_frames_normalised(sizes: list[int], first: int, dropped: int) -> None:
    whole = np.random.default_rng(len(sizes)).normal(-3, 4, (2, sum(sizes))).astype(np.float32)
    shelf = FeatureBuffer()
    for part in np.split(whole, np.cumsum(sizes)[:-1], axis=1):
        shelf.add(part)
    assert shelf.total == sum(sizes)
    first = min(first, shelf.total)
    shelf.drop_before(min(dropped, first))
    count = min(3000, shelf.total - first)
    if not count:
        return
    window = shelf.window(first, count)
    expected = (np.maximum(whole, whole.max() - 8) + 4) / 4
    np.testing.assert_allclose(window[:, :count], expected[:, first : first + count], rtol=1e-6)
    assert window.shape == (2, 3000)
    assert not window[:, count:].any()
