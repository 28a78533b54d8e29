"""Sound of any rate and number of channels as mono blocks at 16 kHz, without waiting for more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.audio.levels import Levels
from quest22.audio.live_samples import LOUDEST
from quest22.audio.pieces import mix
from quest22.audio.resample import to_16_khz
from quest22.capture.raw_pcm import Piece
from quest22.records import SAMPLE_RATE_HZ, Samples

BLOCK_SAMPLES = SAMPLE_RATE_HZ // 10
"""The most samples of a block: 100 ms."""


def live_blocks(pieces: Iterable[Piece], channel: int | None = None) -> Iterator[Samples]:
    """Blocks of at most 100 ms, each as soon as its sound is there.

    Channels are mixed, unless ``channel`` is one of them.
    """
    return in_short_blocks(to_16_khz(_mono(pieces, channel)))


def in_short_blocks(sound: Iterable[Samples], most: int = BLOCK_SAMPLES) -> Iterator[Samples]:
    """The same sound cut where a block has more than ``most`` samples; empty ones are left out.

    What is louder than any sound, as garbage is, is clipped to what a session takes.
    """
    for block in sound:
        for start in range(0, len(block), most):
            yield np.clip(block[start : start + most], -LOUDEST, LOUDEST)


def _mono(pieces: Iterable[Piece], channel: int | None) -> Iterator[tuple[int, Samples]]:
    levels, found = Levels(), False
    for rate_hz, values in pieces:
        yield rate_hz, mix(values, _there(values, channel, found=found), levels)
        found = True


def _there(values: NDArray[Any], channel: int | None, *, found: bool) -> int | None:
    """The channel; None where a later part lacks it, whose channels are mixed then."""
    return None if found and channel is not None and channel >= len(values) else channel
