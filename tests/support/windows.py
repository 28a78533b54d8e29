"""Windows of sound that differ from one another, for models with random weights."""

from __future__ import annotations

import numpy as np

from quest22.records import SAMPLE_RATE_HZ, DecodingOptions, Samples, Window


def sweep(number: int, duration_s: float = 5.0) -> Samples:
    """A rising tone that pulses, with a little noise; each ``number`` sounds different."""
    time_s = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tone = 0.3 * np.sin(2 * np.pi * (100 + 170 * number + 50 * time_s) * time_s)
    pulse = np.sin(2 * np.pi * (1 + number % 3) * time_s) > 0
    noise = np.random.default_rng(number).standard_normal(len(time_s))
    return (tone * pulse + 0.02 * noise).astype(np.float32)


def windows(*asked: DecodingOptions) -> list[Window]:
    """One window, of its own sound, for each request."""
    return [Window(sweep(number), 0.0, decoding) for number, decoding in enumerate(asked)]
