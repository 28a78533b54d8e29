from __future__ import annotations

import zlib
from dataclasses import replace

import pytest

from quest22.longform.policy import DecodingPolicy
from quest22.records import DecodingOptions, Segment, Window
from quest22.settings import DecodingSettings, HallucinationSettings
from tests.support.listening import CLIP, NUMBERS, mark, said, sound


def policy(settings: DecodingSettings, *temperatures: float) -> DecodingPolicy:
    return DecodingPolicy.of(settings, HallucinationSettings(), NUMBERS, temperatures or (0.0,))


def test_the_users_temperatures_count_before_the_strategys() -> None:
    assert policy(DecodingSettings(), 0.2, 0.4).decoding.temperature == 0.2
    assert policy(DecodingSettings(temperature=(0.6,)), 0.2).decoding.temperature == 0.6


def test_options_of_a_window() -> None:
    plain = policy(DecodingSettings("ru", prefix="5"))
    first = plain.window_options(CLIP, 0, (7,), first=True)
    assert first == DecodingOptions("ru", previous=(7,), prefix=(5,))
    assert plain.window_options(CLIP, 9, (), first=False) == DecodingOptions("ru")


def test_samples_are_drawn_by_clip_and_position() -> None:
    sampled = policy(DecodingSettings(temperature=(0.0, 0.4), sampling_seed=3))
    options = sampled.window_options(CLIP, 320, (), first=False)
    assert options.search.seed == (3, zlib.crc32(CLIP.key.encode()), 320)
    assert policy(DecodingSettings()).window_options(CLIP, 320, (), first=False).search.seed == (0,)


@pytest.mark.parametrize(("logprob", "expected"), [(-0.5, None), (-2.0, 0.4)])
def test_what_is_unlikely_is_decoded_again(logprob: float, expected: float | None) -> None:
    hypothesis = replace(said(mark(0), 1, mark(2)), avg_logprob=logprob)
    assert policy(DecodingSettings(), 0.0, 0.4).next_temperature(hypothesis) == expected


def test_a_window_as_a_segment() -> None:
    window = Window(sound(10), 20.0, DecodingOptions(), skip_frames=150)
    made = policy(DecodingSettings()).as_segment(said(mark(0), 1, 2, mark(2)), window)
    assert made == Segment(21.5, 30.0, " 1 2", (1, 2))
