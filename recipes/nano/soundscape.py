"""How a planned window sounds: utterances, their loudness and colour, and what lies around them.

All in raw log10 mel power, where gain is an addition and mixing an addition of powers.
"""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from quest22.audio.log_mel import normalize
from recipes.nano.shards import Shards
from recipes.nano.windows import Placed, Plan

DIGITAL_SILENCE = np.float32(-10.0)
MELS = 80
Mel = NDArray[np.float32]


def soundscape(plan: Plan, shards: Shards, rng: random.Random, augment: float) -> Mel:
    """The window's normalised features, ``[frames, 80]``; a share ``augment`` is disturbed."""
    if not plan.placed:
        return normalize(np.maximum(_only_noise(plan, shards, rng), DIGITAL_SILENCE))
    canvas = np.full((plan.frames, MELS), DIGITAL_SILENCE)
    gain, disturbed = rng.uniform(-2.4, 0.4), rng.random() < augment
    warp = _warp(rng) if disturbed else 1.0
    for placed in plan.placed:
        colour = _colour(rng) if disturbed else np.zeros(MELS, np.float32)
        _lay(canvas, placed, colour + np.float32(gain + rng.gauss(0, 0.2)), warp)
    if disturbed:
        _add_noise(canvas, plan, shards, rng)
        if rng.random() < 0.4:
            _mask(canvas, rng)
    return normalize(np.maximum(canvas, DIGITAL_SILENCE))


def _lay(canvas: Mel, placed: Placed, gain: Mel, warp: float) -> None:
    mel = placed.item.mel()
    if placed.tempo != 1.0:
        mel = mel[np.minimum(np.arange(placed.frames) / placed.tempo, len(mel) - 1).astype(int)]
    if warp != 1.0:
        mel = _warped(mel, warp)
    mel = mel + gain
    first, last = max(0, placed.at), min(len(canvas), placed.at + len(mel))
    if last <= first:
        return
    part = mel[first - placed.at : last - placed.at]
    np.maximum(canvas[first:last], part, out=canvas[first:last])


def _warp(rng: random.Random) -> float:
    return rng.uniform(0.94, 1.07) if rng.random() < 0.25 else 1.0


def _warped(mel: Mel, factor: float) -> Mel:
    """Vocal tract length perturbation (Jaitly and Hinton, 2013) on mel bins."""
    source = np.clip(np.arange(MELS) * factor, 0, MELS - 1.001)
    low = source.astype(int)
    part = (source - low).astype(np.float32)
    return np.asarray(mel[:, low] * (1 - part) + mel[:, low + 1] * part, np.float32)


def _colour(rng: random.Random) -> Mel:
    """A smooth random equaliser of a few dB."""
    if rng.random() < 0.5:
        return np.zeros(MELS, np.float32)
    place = np.linspace(0, np.pi, MELS)
    curve = sum(rng.gauss(0, 0.25 / k) * np.cos(k * place) for k in (1, 2, 3))
    return np.asarray(curve, np.float32)


def _add_noise(canvas: Mel, plan: Plan, shards: Shards, rng: random.Random) -> None:
    """Noise at 4 to 22 dB, or room tone at 22 to 60; to the clip's end or the window's."""
    chance = rng.random()
    if chance < 0.2:
        return
    snr_db = rng.uniform(4, 22) if chance < 0.8 else rng.uniform(22, 60)
    end = plan.ends_frame if rng.random() < 0.7 else plan.frames
    spoken = np.concatenate([canvas[max(0, p.at) : p.at + p.frames] for p in plan.placed])
    noise = shards.noise(end, rng)
    level = _mean_power(spoken) - _mean_power(noise) - snr_db / 10
    canvas[:end] = np.log10(10.0 ** canvas[:end] + 10.0 ** (noise + np.float32(level)))


def _only_noise(plan: Plan, shards: Shards, rng: random.Random) -> Mel:
    canvas = np.full((plan.frames, MELS), DIGITAL_SILENCE)
    if rng.random() < 0.85:
        noise = shards.noise(plan.ends_frame, rng) + _colour(rng)
        canvas[: plan.ends_frame] = noise + np.float32(rng.uniform(-7, 1))
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        at = rng.randrange(plan.frames - 1)
        canvas[at : at + rng.randrange(1, 12)] += np.float32(rng.uniform(0.5, 4))
    return canvas


def _mean_power(mel: Mel) -> float:
    return float(np.log10((10.0 ** mel.astype(np.float64)).mean() + 1e-10))


def _mask(canvas: Mel, rng: random.Random) -> None:
    """SpecAugment (Park et al., 2019): a few bands and a few moments are lost."""
    for _ in range(rng.choice([1, 2])):
        at = rng.randrange(MELS - 8)
        canvas[:, at : at + rng.randrange(1, 9)] = canvas.mean()
    for _ in range(len(canvas) // 400 + 1):
        at = rng.randrange(len(canvas))
        canvas[at : at + rng.randrange(1, 9)] = canvas.mean()
