from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.audio.integer_scale import IntegerScale
from quest22.audio.levels import Levels
from quest22.audio.mixing import Mixer, mean
from quest22.metrics import Metrics
from tests.support.sounds import clip, tone

RNG = np.random.default_rng(0)
VOICE = (0.2 * RNG.laplace(size=16_000)).astype(np.float32)
OTHER = (0.2 * RNG.laplace(size=16_000)).astype(np.float32)
HUM = tone(16_000, 1.0, 50.0, 0.9)
NOTHING = np.zeros(16_000, np.float32)


@pytest.mark.parametrize(
    "channels",
    [
        [VOICE],
        [VOICE, VOICE],
        [VOICE, OTHER],
        [VOICE, NOTHING],
        [NOTHING, NOTHING],
        [VOICE, -0.5 * VOICE + OTHER],
        [VOICE + 0.02 * HUM, VOICE - 0.02 * HUM],
        [VOICE + HUM, VOICE - HUM],
        [VOICE, *[NOTHING] * 23],
        [0.3 * VOICE + OTHER, 0.3 * VOICE - OTHER * 0.8, VOICE, VOICE, OTHER, NOTHING],
    ],
)
def test_ordinary_channels_are_averaged_to_the_bit(channels: list[np.ndarray]) -> None:
    mixer = Mixer()
    assert mixer.mix(np.stack(channels)).tobytes() == mean(np.stack(channels)).tobytes()
    assert not mixer.cancels


@pytest.mark.parametrize("share", [1.0, 0.95, 0.7, 1.3])
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_channels_that_cancel_give_way_to_the_loudest(share: float, offset: float) -> None:
    channels = np.stack([VOICE, -share * VOICE + np.float32(offset)])
    mixer = Mixer()
    assert mixer.mix(channels).tolist() == channels[int(share > 1)].tolist()
    assert mixer.cancels


def test_integers_cancel_too() -> None:
    sound = (VOICE * 20_000).astype(np.int16)
    assert Mixer().mix(np.stack([sound, -sound])).tolist() == sound.tolist()


def test_the_same_channel_is_taken_unless_another_is_much_louder() -> None:
    mixer = Mixer()
    soft, quiet = 0.9 * VOICE, 0.3 * VOICE
    pieces = [[soft, -VOICE, NOTHING], [VOICE, -soft, NOTHING], [VOICE, -quiet, -0.8 * VOICE]]
    taken = [mixer.mix(np.stack(piece)) for piece in pieces]
    assert [np.sign(each @ VOICE) for each in taken] == [-1, -1, 1]


@pytest.mark.parametrize("bits", [16, 24, 32])
@pytest.mark.parametrize("level", [1.0, 0.3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_integers_as_floats_come_back_to_unit_scale(bits: int, level: float, dtype: type) -> None:
    sound = tone(16_000, 1.0, level=0.9) * level
    scale = IntegerScale()
    found = scale.to_unit((sound * 2.0 ** (bits - 1)).astype(dtype)[np.newaxis])
    assert found.dtype == dtype
    assert np.abs(found[0] - sound).max() < 1e-4
    assert scale.full_scale == 2.0 ** (bits - 1)


def test_dither_of_integers_is_quiet_before_the_first_word() -> None:
    scale = IntegerScale()
    dither = RNG.integers(-3, 4, 16_000).astype(np.float32)
    assert np.abs(scale.to_unit(dither)).max() == 3 / 32768
    assert np.abs(scale.to_unit(np.rint(VOICE * 20_000))).max() < 2


@pytest.mark.parametrize(
    "sound",
    [
        NOTHING,
        VOICE,
        4 * VOICE,
        np.sign(VOICE),
        np.where(np.arange(16_000) % 4_000 == 0, np.float32(1e5), VOICE),
        np.full(16_000, 1e20, np.float32),
        np.full(16_000, np.nan, np.float32),
        np.full(16_000, np.inf, np.float32),
        NOTHING[:0],
    ],
)
def test_sound_on_a_scale_of_one_is_left_alone(sound: np.ndarray) -> None:
    scale = IntegerScale()
    assert scale.to_unit(sound) is sound
    assert not scale.found


@given(st.lists(st.floats(width=32), max_size=30))
def test_no_samples_are_too_odd(values: list[float]) -> None:
    sound = np.array(values, np.float32)
    assert IntegerScale().to_unit(sound).shape == sound.shape


def test_what_was_mended_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    levels, metrics = Levels(), Metrics()
    with caplog.at_level(logging.WARNING, "quest22"):
        for _ in range(3):
            levels.mono(np.stack([VOICE, -VOICE]) * 20_000)
        levels.report(clip(b"", "call.wav"), metrics)
    assert [each.getMessage()[:9] for each in caplog.records] == ["call.wav:"] * 2
    assert metrics.counts() == {"integer_scale": 1, "cancelled_mixes": 1}
