"""What happens to a voice on its way: resampling, rooms, telephones, loudness; and noises.

All on float32 samples at 16 kHz; every function takes its random generator.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]
RATE_HZ = 16000


def resampled(samples: Samples, rate_hz: int, warp: float = 1.0) -> Samples:
    """To 16 kHz; ``warp`` above 1 raises pitch and formants and shortens by the same factor."""
    out: Samples = soxr.resample(samples, rate_hz * warp, RATE_HZ, quality="MQ")
    return out.astype(np.float32)


def room(samples: Samples, rng: np.random.Generator) -> Samples:
    """Reverberation: exponentially decaying noise of 0.1 to 0.5 s (Polack's model)."""
    decay_s = rng.uniform(0.1, 0.5)
    count = int(decay_s * RATE_HZ)
    echo = rng.standard_normal(count) * np.exp(-6.9 * np.arange(count) / count)
    echo *= rng.uniform(0.1, 0.6) / np.sqrt((echo**2).sum())
    echo[0] = 1.0
    size = _fast_size(len(samples) + count - 1)
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(echo, size), size)
    return wet[: len(samples) + count - 1].astype(np.float32)


def telephone(samples: Samples, rng: np.random.Generator) -> Samples:
    """Band limit of 300 to 3400 Hz, and half the time the steps of mu-law (ITU-T G.711)."""
    size = _fast_size(len(samples))
    spectrum, hz = np.fft.rfft(samples, size), np.fft.rfftfreq(size, 1 / RATE_HZ)
    low, high = rng.uniform(200, 350), rng.uniform(3100, 3600)
    gain = 1 / (1 + (low / np.maximum(hz, 1)) ** 8) / (1 + (hz / high) ** 16)
    narrow = np.fft.irfft(spectrum * gain, size)[: len(samples)]
    if rng.random() < 0.5:
        peak = np.abs(narrow).max() + 1e-9
        law = np.sign(narrow) * np.log1p(255 * np.abs(narrow / peak)) / np.log(256)
        law = np.round(law * 127) / 127
        narrow = np.sign(law) * np.expm1(np.abs(law) * np.log(256)) / 255 * peak
    return narrow.astype(np.float32)


def coloured(seconds: float, slope: float, rng: np.random.Generator) -> Samples:
    """Noise whose power falls as frequency to the ``slope``: 0 white, 1 pink, 2 brown."""
    count = int(seconds * RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hz = np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 20.0)
    return _levelled(np.fft.irfft(spectrum * hz ** (-slope / 2), count))


def tones(seconds: float, rng: np.random.Generator) -> Samples:
    """Steady, beeping or sweeping sines: dial tones, alarms, test signals."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    sound = np.zeros_like(time)
    for _ in range(rng.integers(1, 4)):
        hz, sweep = rng.uniform(80, 3500), rng.uniform(-40, 40) * (rng.random() < 0.3)
        sound += rng.uniform(0.3, 1.0) * np.sin(2 * np.pi * (hz * time + sweep * time**2 / 2))
    if rng.random() < 0.5:
        period, duty = rng.uniform(0.2, 3.0), rng.uniform(0.2, 0.8)
        sound *= (time % period) < period * duty
    return _levelled(sound)


def hum(seconds: float, rng: np.random.Generator) -> Samples:
    """Mains hum with its harmonics."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    base = rng.choice([50.0, 60.0])
    waves = [rng.uniform(0, 1 / k) * np.sin(2 * np.pi * base * k * time) for k in range(1, 12)]
    return _levelled(np.sum(waves, axis=0))


def music(seconds: float, rng: np.random.Generator) -> Samples:
    """Chords and arpeggios of decaying harmonic notes, at random tempo, over a drum of noise."""
    count = int(seconds * RATE_HZ)
    sound = np.zeros(count + 3 * RATE_HZ)
    beat, root = rng.uniform(0.12, 0.6), rng.uniform(90, 260)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16]) / 12
    decay, bright = rng.uniform(1.5, 8.0), rng.uniform(0.4, 2.0)
    for start in np.arange(0, seconds, beat):
        at = int(start * RATE_HZ)
        for step in rng.choice(scale, rng.integers(1, 4)):
            sound[at : at + 2 * RATE_HZ] += _note(root * 2**step, decay, bright, rng)
        if rng.random() < 0.3:
            hit = rng.standard_normal(3000) * np.exp(-np.arange(3000) / 500)
            sound[at : at + 3000] += 0.3 * hit
    return _levelled(sound[:count])


def mixed(speech: Samples, noise: Samples, snr_db: float) -> Samples:
    """Speech with noise at a ratio of their mean powers over the speech's length."""
    cut = np.resize(noise, len(speech))
    power = float((speech**2).mean()) / (float((cut**2).mean()) + 1e-12)
    return (speech + cut * np.sqrt(power / 10 ** (snr_db / 10))).astype(np.float32)


def _fast_size(count: int) -> int:
    """The next multiple of 4096: a prime length would make the transform ten times slower."""
    return -(-count // 4096) * 4096


def _note(hz: float, decay: float, bright: float, rng: np.random.Generator) -> NDArray[np.float64]:
    time = np.arange(2 * RATE_HZ) / RATE_HZ
    partials = [k for k in range(1, 9) if k * hz < RATE_HZ / 2]
    wave = sum(np.sin(2 * np.pi * k * hz * time) * k**-bright for k in partials)
    attack = np.minimum(1, time / rng.uniform(0.005, 0.05))
    out: NDArray[np.float64] = wave * attack * np.exp(-decay * time)
    return out


def _levelled(sound: NDArray[np.float64]) -> Samples:
    return (0.1 * sound / (np.sqrt((sound**2).mean()) + 1e-9)).astype(np.float32)
