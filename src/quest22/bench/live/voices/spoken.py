"""A sentence that a voice said."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ, Samples


@dataclass(frozen=True, slots=True)
class Spoken:
    """Sound at 16 kHz, and the end of each of the sentence's words in seconds; None: not told."""

    samples: Samples
    ends_s: tuple[float | None, ...]


def at_16_khz(pcm: NDArray[np.int16], rate_hz: int) -> Samples:
    """16-bit samples of any rate as float32 at 16 kHz."""
    import soxr

    scaled = pcm.astype(np.float32) / np.float32(32768)
    samples: Samples = soxr.resample(scaled, rate_hz, SAMPLE_RATE_HZ).astype(np.float32)
    return samples


def open_library(name: str, package: str) -> ctypes.CDLL:
    """A synthesiser's library; raises :class:`UsageError` naming the package."""
    try:
        return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError as exc:
        raise UsageError(
            f"synthesised speech needs {name}, which is not on this machine: apt-get install "
            f"{package}, or give recordings to play"
        ) from exc
