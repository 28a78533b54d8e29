from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.longform.policy import MAX_PREVIOUS_TOKENS, DecodingPolicy, PreviousText, PromptContext
from quest22.records import DecodingOptions, Segment, Window
from quest22.settings import DecodingSettings, HallucinationSettings
from tests.support.fake_whisper import NUMBERS, make_hypothesis, sound, timestamp_token


def policy(settings: DecodingSettings, *temperatures: float) -> DecodingPolicy:
    return DecodingPolicy.of(settings, HallucinationSettings(), NUMBERS, temperatures or (0.0,))


def test_the_users_temperatures_count_before_the_strategys() -> None:
    assert policy(DecodingSettings(), 0.2, 0.4).decoding.temperature == 0.2
    assert policy(DecodingSettings(temperature=(0.6,)), 0.2).decoding.temperature == 0.6


def test_options_of_a_window() -> None:
    plain = policy(DecodingSettings("ru", prefix="5"))
    first = plain.window_options((7,), first=True)
    assert first == DecodingOptions("ru", previous=(7,), prefix=(5,))
    assert plain.window_options((), first=False) == DecodingOptions("ru")


@pytest.mark.parametrize(("logprob", "expected"), [(-0.5, None), (-2.0, 0.4)])
def test_what_is_unlikely_is_decoded_again(logprob: float, expected: float | None) -> None:
    hypothesis = replace(
        make_hypothesis(timestamp_token(0), 1, timestamp_token(2)), avg_logprob=logprob
    )
    assert policy(DecodingSettings(), 0.0, 0.4).next_temperature(hypothesis) == expected


def test_a_window_as_a_segment() -> None:
    window = Window(sound(10), 20.0, DecodingOptions(), skip_frames=150)
    made = policy(DecodingSettings()).as_segment(
        make_hypothesis(timestamp_token(0), 1, 2, timestamp_token(2)), window
    )
    assert made == Segment(21.5, 30.0, " 1 2", (1, 2))


def context(**asked: object) -> PromptContext:
    return PromptContext.of(DecodingSettings(**asked), NUMBERS)  # type: ignore[arg-type]


def test_the_text_so_far_follows_the_initial_prompt() -> None:
    previous = PreviousText(context(initial_prompt="1 2"))
    assert previous.prompt() == (1, 2)
    previous.add([3, 4], 0.0)
    assert previous.prompt() == (1, 2, 3, 4)


@pytest.mark.parametrize(("temperature", "kept"), [(0.4, True), (0.5, True), (0.6, False)])
def test_a_text_heard_at_a_high_temperature_is_not_built_on(temperature: float, kept: bool) -> None:
    previous = PreviousText(context(initial_prompt="1"))
    previous.add([2], temperature)
    assert previous.prompt() == ((1, 2) if kept else ())
    previous.add([3], 0.0)
    assert previous.prompt() == ((1, 2, 3) if kept else (3,))


def test_without_conditioning_each_window_stands_alone() -> None:
    previous = PreviousText(context(initial_prompt="1", condition_on_previous_text=False))
    previous.add([2], 0.0)
    assert previous.prompt() == ()


def test_an_initial_prompt_that_is_carried_stays_in_front() -> None:
    previous = PreviousText(context(initial_prompt="1 2", carry_initial_prompt=True))
    previous.add(range(100, 500), 0.0)
    assert previous.prompt() == (1, 2, *range(500 - MAX_PREVIOUS_TOKENS + 2, 500))
    previous.add([7], 0.8)
    assert previous.prompt() == (1, 2)


def test_hotwords_stand_in_front_and_leave_room_for_the_end() -> None:
    previous = PreviousText(context(hotwords="8 9"))
    assert previous.prompt() == (8, 9)
    previous.add(range(100, 500), 0.0)
    assert previous.prompt() == (8, 9, *range(500 - MAX_PREVIOUS_TOKENS + 2, 500))


def test_a_prompt_of_blanks_is_none() -> None:
    assert context(initial_prompt="  ", hotwords="").alone() == ()
