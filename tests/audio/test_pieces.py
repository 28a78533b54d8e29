from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.audio.frames import Layout
from quest22.audio.levels import Levels
from quest22.audio.pieces import by_channel, finite, mix
from quest22.errors import ClipError


@pytest.mark.parametrize(
    ("dtype", "low", "middle", "high"),
    [
        (np.uint8, 0, 128, 255),
        (np.int16, -(2**15), 0, 2**15 - 1),
        (np.int32, -(2**31), 0, 2**31 - 1),
        (np.int64, -(2**63), 0, 2**63 - 1),
        (np.float32, -1, 0, 1),
        (np.float64, -1, 0, 1),
    ],
)
def test_every_type_reaches_full_scale(dtype: Any, low: int, middle: int, high: int) -> None:
    sound = np.array([[low, middle, high]], dtype)
    mono = mix(by_channel([sound], Layout(16_000, 1, True, "any")), None, Levels())
    assert mono.dtype == np.float32
    assert mono == pytest.approx([-1.0, 0.0, 1.0], abs=2**-6)


@given(channels=st.integers(1, 6), count=st.integers(1, 50), seed=st.integers(0, 2**32 - 1))
def test_planar_and_packed_sound_mix_alike(channels: int, count: int, seed: int) -> None:
    planes = np.random.default_rng(seed).uniform(-1, 1, (channels, count)).astype(np.float32)
    packed = planes.T.reshape(1, -1)
    planar_mix = mix(by_channel([planes], Layout(16_000, channels, True, "fltp")), None, Levels())
    packed_mix = mix(by_channel([packed], Layout(16_000, channels, False, "flt")), None, Levels())
    assert np.array_equal(planar_mix, packed_mix)
    assert planar_mix == pytest.approx(planes.mean(axis=0), abs=1e-6)
    for channel in range(channels):
        picked = mix(
            by_channel([packed], Layout(16_000, channels, False, "flt")), channel, Levels()
        )
        assert np.array_equal(picked, planes[channel])


@pytest.mark.parametrize("channel", [2, -1])
def test_a_channel_beyond_the_sound_is_refused(channel: int) -> None:
    with pytest.raises(ClipError, match="the sound has 2, counted from 0"):
        mix(
            by_channel([np.zeros((2, 5), np.float32)], Layout(16_000, 2, True, "fltp")),
            channel,
            Levels(),
        )


def test_only_what_is_no_sound_is_silenced() -> None:
    sound = np.array([0.5, np.nan, -np.inf, 2e6, -7.0], np.float32)
    assert finite(sound).tolist() == [0.5, 0.0, 0.0, 0.0, -7.0]
    assert finite(sound[:0]).tolist() == []
