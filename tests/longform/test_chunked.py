from __future__ import annotations

import gc
import random
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quest22.errors import ClipError
from quest22.longform.chunked import ChunkedClip, ChunkedStrategy
from quest22.records import Clip, DecodingOptions, Hypothesis, Origin, Samples, Transcript, Window
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings
from tests.support.fake_whisper import (
    CLIP,
    NUMBERS,
    FakeWhisper,
    make_hypothesis,
    sound,
    timestamp_token,
    transcribe,
)


def opened(
    decoding: DecodingSettings | None = None, settings: LongFormSettings | None = None
) -> ChunkedClip:
    strategy = ChunkedStrategy(
        settings or LongFormSettings(), decoding or DecodingSettings(), NUMBERS
    )
    return strategy.open(CLIP)


def test_windows_ask_for_what_the_settings_say() -> None:
    decoding = DecodingSettings("ru", "translate", timestamps=True, max_new_tokens=7)
    open_clip = opened(decoding)
    first, second = open_clip.feed(sound(31)) + open_clip.flush()
    assert first.decoding == DecodingOptions("ru", "translate", timestamps=True, max_new_tokens=7)
    assert second.decoding == first.decoding
    assert (first.index, first.start_s, first.duration_s) == (0, 0.0, 30.0)
    assert (second.index, second.start_s, second.duration_s) == (1, 20.0, 11.0)


def test_a_clip_is_carried_through() -> None:
    clip = Clip("k", "n", b"", Origin("d", row=4), reference="one", columns={"speaker": 7})
    open_clip = ChunkedStrategy(LongFormSettings(), DecodingSettings(), NUMBERS).open(clip)
    open_clip.feed(sound(2.5))
    (window,) = open_clip.flush()
    open_clip.add_result(window, make_hypothesis(1))
    transcript = open_clip.close()
    assert (transcript.key, transcript.name, transcript.origin) == ("k", "n", Origin("d", row=4))
    assert (transcript.reference, transcript.columns) == ("one", {"speaker": 7})
    assert (transcript.text, transcript.duration_s) == ("1", 2.5)


@pytest.mark.parametrize("blocks", [[], [0], [0, 0]])
def test_no_sound_is_a_failure_of_the_clip(blocks: list[int]) -> None:
    open_clip = opened()
    for size in blocks:
        open_clip.feed(np.zeros(size, np.float32))
    with pytest.raises(ClipError, match="holds no sound") as caught:
        open_clip.flush()
    assert caught.value.stage == "longform"


@pytest.mark.parametrize("samples", [1, 159, 160, 480_000])
def test_the_shortest_and_the_longest_sound_of_one_window(samples: int) -> None:
    open_clip = opened()
    assert open_clip.feed(np.zeros(samples, np.float32)) == []
    (window,) = open_clip.flush()
    assert len(window.samples) == samples


def test_silence_is_an_empty_transcript() -> None:
    transcript = transcribe(sound(70), lambda _window: make_hypothesis(), timestamps=True)
    assert (transcript.text, transcript.segments) == ("", ())


def test_finished_once_every_window_came_back() -> None:
    open_clip = opened(DecodingSettings(timestamps=True))
    assert not open_clip.finished
    (first,) = open_clip.feed(sound(31))
    assert not open_clip.finished
    (second,) = open_clip.flush()
    open_clip.add_result(second, make_hypothesis())
    assert not open_clip.finished
    (again,) = open_clip.add_result(
        first, make_hypothesis(timestamp_token(0), 1, timestamp_token(9), timestamp_token(9))
    )
    assert again.samples is first.samples
    assert not open_clip.finished
    open_clip.add_result(again, make_hypothesis())
    assert open_clip.finished


def run_in_any_order(samples: Samples, whisper: FakeWhisper, seed: int) -> Transcript:
    """Blocks of random sizes, answers in random order, between the blocks and after them."""
    chance = random.Random(seed)
    open_clip = opened(DecodingSettings(timestamps=True))
    waiting: list[Window] = []
    while len(samples):
        size = chance.choice([chance.randrange(1, 10_000), chance.randrange(1, 2_000_000)])
        waiting += open_clip.feed(samples[:size])
        samples = samples[size:]
        if waiting and chance.random() < 0.5:
            window = waiting.pop(chance.randrange(len(waiting)))
            waiting += open_clip.add_result(window, whisper(window))
    waiting += open_clip.flush()
    while waiting:
        window = waiting.pop(chance.randrange(len(waiting)))
        waiting += open_clip.add_result(window, whisper(window))
    assert open_clip.finished
    return open_clip.close()


@settings(max_examples=30)
@given(seed=st.integers(0, 9**9), duration_s=st.integers(1, 120))
def test_blocks_and_order_change_nothing(seed: int, duration_s: int) -> None:
    words = [(at / 2, (at * 7919 + seed) % 900) for at in range(duration_s * 2)]
    straight = transcribe(sound(duration_s), FakeWhisper(words, seed), timestamps=True)
    assert run_in_any_order(sound(duration_s), FakeWhisper(words, seed), seed) == straight


def test_sound_is_let_go_with_its_windows() -> None:
    open_clip = opened()
    (window,) = open_clip.feed(sound(31))
    samples = weakref.ref(window.samples)
    open_clip.add_result(window, make_hypothesis(1))
    del window
    gc.collect()
    assert samples() is None


def test_ten_hours_worth_of_windows() -> None:
    short = LongFormSettings(chunk_length_s=3.0, stride_s=(0.5, 0.5))
    words = [(at / 4, at % 800) for at in range(3600 * 4)]
    open_clip = opened(settings=short)
    minute = np.zeros(60 * 16_000, np.float32)
    for part in range(60):
        for window in (
            open_clip.feed(minute) if part < 59 else open_clip.feed(minute) + (open_clip.flush())
        ):
            first, last = round(window.start_s * 4), round(window.start_s * 4) + 12
            open_clip.add_result(window, make_hypothesis(*(word for _, word in words[first:last])))
    transcript = open_clip.close()
    assert transcript.duration_s == 3600.0
    assert len(transcript.segments) == 1800
    assert transcript.text == NUMBERS.decode([word for _, word in words]).strip()


LANGUAGES = [
    ([("en", 0.9, 30.0)], ("en", 0.9)),
    ([(None, 1.0, 30.0)], (None, 1.0)),
    ([("en", 0.6, 30.0), ("ru", 0.9, 30.0)], ("ru", 0.45)),
    ([("en", 0.6, 30.0), ("ru", 0.9, 11.0)], ("en", 18 / 41)),
    ([("en", 0.5, 30.0), ("ru", 0.9, 30.0), ("en", 0.5, 30.0)], ("en", 1 / 3)),
]


@pytest.mark.parametrize(("heard", "expected"), LANGUAGES)
def test_the_language_is_that_of_most_of_the_sound(
    heard: list[tuple[str | None, float, float]], expected: tuple[str | None, float]
) -> None:
    duration_s = 20.0 * (len(heard) - 1) + heard[-1][2]

    def listen(window: Window) -> Hypothesis:
        language, sure, _ = heard[window.index]
        return make_hypothesis(1, language=language, sure=sure)

    transcript = transcribe(sound(duration_s), listen)
    assert transcript.language == expected[0]
    assert transcript.language_probability == pytest.approx(expected[1])


def filtered(thresholds: HallucinationSettings, **asked: object) -> ChunkedClip:
    decoding = DecodingSettings(**asked)  # type: ignore[arg-type]
    open_clip: ChunkedClip = ChunkedStrategy(
        LongFormSettings(), decoding, NUMBERS, thresholds
    ).open(CLIP)
    return open_clip


def test_a_window_that_is_not_believed_is_heard_again_hotter() -> None:
    open_clip = filtered(HallucinationSettings(), temperature=(0.0, 0.6))
    windows = open_clip.feed(sound(10)) + open_clip.flush()
    unsure = replace(make_hypothesis(1, 2), avg_logprob=-2.0)
    (again,) = open_clip.add_result(windows[0], unsure)
    assert again.decoding == replace(windows[0].decoding, temperature=0.6)
    assert again.samples is windows[0].samples
    assert open_clip.add_result(again, replace(unsure, temperature=0.6)) == []
    made = open_clip.close()
    assert (made.text, made.confidence.temperature) == ("1 2", 0.6)


def test_what_is_not_believed_is_left_out_and_put_down() -> None:
    open_clip = filtered(HallucinationSettings())
    windows = open_clip.feed(sound(60)) + open_clip.flush()
    answers = [
        make_hypothesis(1, 2),
        replace(make_hypothesis(3), avg_logprob=-2.0, no_speech_prob=0.9),
        make_hypothesis(*[4, 5] * 60),
    ]
    for window, answer in zip(windows, answers, strict=True):
        assert open_clip.add_result(window, answer) == []
    made = open_clip.close()
    assert made.text == "1 2"
    assert [(each.reason, each.start_s) for each in made.dropped] == [
        ("no speech", 20.0),
        ("loop", 40.0),
    ]
    assert made.dropped[0].text == "3"


def test_one_language_for_a_clip_is_that_of_its_first_window() -> None:
    open_clip = filtered(HallucinationSettings(), multilingual=False)
    (first,) = open_clip.feed(sound(80))
    assert not open_clip.wants_audio
    others = open_clip.add_result(first, make_hypothesis(1, language="ru", sure=0.75))
    assert open_clip.wants_audio
    assert [window.index for window in others] == [1, 2]
    last = open_clip.flush()
    assert {window.decoding.language for window in others + last} == {"ru"}
    for window in others + last:
        open_clip.add_result(window, make_hypothesis(2, language="ru"))
    assert open_clip.finished
    assert open_clip.close().language == "ru"


def test_every_window_is_prompted_alike_and_the_first_has_the_prefix() -> None:
    open_clip = filtered(HallucinationSettings(), initial_prompt="7 8", hotwords="9", prefix="5")
    windows = open_clip.feed(sound(60)) + open_clip.flush()
    assert {window.decoding.previous for window in windows} == {(9, 7, 8)}
    assert [window.decoding.prefix for window in windows] == [(5,), (), ()]
