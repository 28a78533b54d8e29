from __future__ import annotations

import numpy as np
import pytest

from recipes.nano import acoustics

SECONDS = 2.0


@pytest.fixture
def tone() -> acoustics.Samples:
    time = np.arange(int(SECONDS * acoustics.RATE_HZ)) / acoustics.RATE_HZ
    return (0.3 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)


def band_power(sound: acoustics.Samples, low_hz: float, high_hz: float) -> float:
    hz = np.fft.rfftfreq(len(sound), 1 / acoustics.RATE_HZ)
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float(power[(hz >= low_hz) & (hz < high_hz)].mean())


def test_noise_is_added_at_the_ratio_asked_for(tone: acoustics.Samples) -> None:
    noise = acoustics.coloured(SECONDS, 0.0, np.random.default_rng(1))
    added = acoustics.mixed(tone, noise, 10.0) - tone
    ratio = float((tone**2).mean() / (added**2).mean())
    assert 10 * np.log10(ratio) == pytest.approx(10.0, abs=0.01)


def test_pink_noise_falls_with_frequency_and_white_does_not() -> None:
    rng = np.random.default_rng(2)
    white, pink = (acoustics.coloured(SECONDS, slope, rng) for slope in (0.0, 1.0))
    assert band_power(white, 200, 400) == pytest.approx(band_power(white, 3200, 6400), rel=0.2)
    assert band_power(pink, 200, 400) > 8 * band_power(pink, 3200, 6400)


def test_a_telephone_keeps_only_its_band() -> None:
    white = acoustics.coloured(SECONDS, 0.0, np.random.default_rng(3))
    heard = acoustics.telephone(white, np.random.default_rng(4))
    assert band_power(heard, 5000, 8000) < 0.05 * band_power(heard, 500, 3000)


def test_a_room_leaves_the_sound_first(tone: acoustics.Samples) -> None:
    heard = acoustics.room(tone, np.random.default_rng(5))
    assert len(heard) > len(tone)
    assert np.corrcoef(heard[: len(tone)], tone)[0, 1] > 0.5


def test_warping_shortens_and_raises(tone: acoustics.Samples) -> None:
    warped = acoustics.resampled(tone, acoustics.RATE_HZ, 1.25)
    assert len(warped) == pytest.approx(len(tone) / 1.25, abs=2)
    assert band_power(warped, 1200, 1300) > 50 * band_power(warped, 950, 1050)
