"""Sound in which nobody speaks, made by seeded recipes: a transcript of it should be empty.

Each recipe gives as many seconds as wanted, mono at 16 kHz. The same seed gives the same sound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from quest22.records import SAMPLE_RATE_HZ, Samples

Signal = NDArray[np.float64]
Random = np.random.Generator

BLOCK_S = 10
"""Slow changes (cars that pass, applause that swells, new chords) have this scale."""


def silence(seconds: int, random: Random) -> Signal:
    """Digital silence, with the dither of a 16-bit recorder."""
    return random.integers(-1, 2, seconds * SAMPLE_RATE_HZ) / 32768


def room(seconds: int, random: Random) -> Signal:
    """A quiet room: noise of a fan, mains hum, and now and then a click or a knock."""
    noise = coloured(seconds, random, exponent=1.0)
    return 0.004 * noise + 0.0015 * mains(seconds, random) + 0.05 * knocks(seconds, random, 0.2)


def street(seconds: int, random: Random) -> Signal:
    """Traffic: a low rumble, cars that come and go, sometimes a horn."""
    rumble = coloured(seconds, random, exponent=2.0)
    cars = coloured(seconds, random, exponent=0.8) * swells(seconds, random, every_s=7)
    horn = np.sign(np.sin(2 * np.pi * 420 * times(seconds))) + np.sign(
        np.sin(2 * np.pi * 530 * times(seconds))
    )
    sounding = swells(seconds, random, every_s=40) > 0.9
    return 0.05 * rumble + 0.08 * cars + 0.03 * horn * sounding


def music(seconds: int, random: Random) -> Signal:
    """Struck chords with overtones over a drum, in changing tempo and key."""
    parts = []
    for _ in range(-(-seconds // BLOCK_S)):
        beat_s = random.uniform(0.3, 0.7)
        root = 110 * 2 ** (random.integers(0, 12) / 12)
        time_s = times(BLOCK_S)
        beat = (time_s / beat_s).astype(int)
        fade = np.exp(-3 * (time_s / beat_s - beat))
        steps = random.integers(0, 12, (beat.max() + 1, 3))
        pitch = root * 2 ** (steps[beat] / 12)
        phase = 2 * np.pi * np.cumsum(pitch, axis=0) / SAMPLE_RATE_HZ
        tones = sum(np.sin(k * phase).sum(axis=1) / k for k in (1, 2, 3, 4))
        drum = random.normal(size=len(time_s)) * np.exp(-30 * (time_s / beat_s - beat)) * (
            beat % 2
        )  # fmt: skip
        parts.append(0.05 * fade * tones + 0.05 * drum)
    return np.concatenate(parts)[: seconds * SAMPLE_RATE_HZ]


def hum(seconds: int, random: Random) -> Signal:
    """Mains hum of a bad cable, with its harmonics and some hiss."""
    return 0.05 * mains(seconds, random) + 0.002 * random.normal(size=seconds * SAMPLE_RATE_HZ)


def applause(seconds: int, random: Random) -> Signal:
    """Hundreds of people clapping, swelling and fading."""
    crowd = knocks(seconds, random, 150) * (0.3 + swells(seconds, random, every_s=15))
    return 0.1 * crowd + 0.003 * coloured(seconds, random, exponent=1.0)


RECIPES: Mapping[str, Callable[[int, Random], Signal]] = {
    "silence": silence,
    "room": room,
    "street": street,
    "music": music,
    "hum": hum,
    "applause": applause,
}


def make(name: str, seconds: int, seed: int = 22) -> Samples:
    """The sound of a recipe, float32 in −1…1; raises :class:`KeyError` for an unknown name."""
    random = np.random.default_rng((seed, *name.encode()))
    parts = [RECIPES[name](60, random) for _ in range(-(-seconds // 60))]
    samples = np.concatenate(parts)[: seconds * SAMPLE_RATE_HZ]
    return np.clip(samples, -1, 1).astype(np.float32)


def times(seconds: int) -> Signal:
    """The time of each sample in seconds."""
    return np.arange(seconds * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ


def coloured(seconds: int, random: Random, exponent: float) -> Signal:
    """Noise whose power falls with frequency to this exponent: 1 pink, 2 brown; level 1."""
    count = seconds * SAMPLE_RATE_HZ
    spectrum = np.fft.rfft(random.normal(size=count))
    frequencies = np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ), 20.0)
    noise: Signal = np.fft.irfft(spectrum / frequencies ** (exponent / 2), count)
    return noise / float(noise.std())


def mains(seconds: int, random: Random) -> Signal:
    """50 Hz with odd and even harmonics of random strength, drifting a little; level 1."""
    drift = np.interp(times(seconds), *_points(seconds, random, 20, 49.9, 50.1))
    phase = 2 * np.pi * np.cumsum(drift) / SAMPLE_RATE_HZ
    tones = np.zeros(len(phase))
    for harmonic in range(1, 12):
        tones += random.uniform(0.2, 1) / harmonic * np.sin(harmonic * phase)
    return tones / float(tones.std())


def swells(seconds: int, random: Random, every_s: float) -> Signal:
    """A level from 0 to 1 that rises and falls every so many seconds."""
    level = np.interp(times(seconds), *_points(seconds, random, every_s / 2, 0.0, 1.0))
    return level**2


def knocks(seconds: int, random: Random, per_s: float) -> Signal:
    """Short bursts of noise of random strength at random times."""
    signal = np.zeros((seconds + 1) * SAMPLE_RATE_HZ)
    length = SAMPLE_RATE_HZ // 20
    for start in random.integers(0, seconds * SAMPLE_RATE_HZ, round(per_s * seconds)):
        decay = np.exp(-np.arange(length) / random.uniform(20, 150))
        signal[start : start + length] += (
            random.uniform(0.2, 1) * random.normal(size=length) * decay
        )
    return signal[: seconds * SAMPLE_RATE_HZ]


def _points(
    seconds: int, random: Random, every_s: float, low: float, high: float
) -> tuple[Signal, Signal]:
    """Random values at regular times, to interpolate between."""
    count = max(2, round(seconds / every_s) + 1)
    return np.linspace(0, seconds, count), random.uniform(low, high, count)
