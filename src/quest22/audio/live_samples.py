"""Sound as callers feed it to a live session, block by block, as mono float32 at 16 kHz."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.audio.mixing import Mixer
from quest22.audio.resample import Resampler
from quest22.errors import UsageError
from quest22.records import SAMPLE_RATE_HZ, Samples

FULL_SCALES = {"int16": 2.0**15, "int32": 2.0**31}
LOUDEST = 16.0
"""Beyond this, 24 dB over full scale, floats are not on a scale of ±1."""

MAX_CHANNELS = 8
RATES_HZ = range(1_000, 768_001)
EXPECTED = (
    "expected floats in -1…1, int16 or int32 (np.frombuffer(data, np.int16)), of shape [samples] "
    "or [samples, channels]"
)


class LiveSamples:
    """The stream of one session; rate and channels may change from block to block.

    ``fed_s`` counts its seconds.
    """

    def __init__(self) -> None:
        self.fed_s = 0.0
        self._mixer = Mixer()
        self._resampler = Resampler(SAMPLE_RATE_HZ, np.zeros(0, np.float32))

    def feed(self, samples: object, rate_hz: float = SAMPLE_RATE_HZ) -> Samples:
        """A block at 16 kHz, ``[samples]``: what is ready of it, as resampling has a short delay.

        Takes ``[samples]`` or ``[samples, channels]``, which are mixed; floats in −1…1, int16 or
        int32. Raises :class:`UsageError` for anything else, for values that are not finite, and for
        an impossible rate; the stream then goes on without the block.
        """
        rate = _rate(rate_hz)
        mono = self._mono(_array(samples))
        self.fed_s += len(mono) / rate
        if rate == self._resampler.rate_hz:
            return self._resampler.feed(mono)
        rest = self._resampler.flush()
        self._resampler = Resampler(rate, mono)
        return np.concatenate([rest, self._resampler.feed(mono)])

    def flush(self) -> Samples:
        """What resampling has kept back; a later block begins a new stream."""
        rest = self._resampler.flush()
        self._resampler = Resampler(self._resampler.rate_hz, rest)
        return rest

    def _mono(self, values: NDArray[Any]) -> Samples:
        mono = values if values.ndim == 1 else self._mixer.mix(values.T)
        mono = mono.astype(np.float32)  # a copy: the caller may use its buffer again
        scale = FULL_SCALES.get(values.dtype.name)
        if scale is not None:
            mono *= np.float32(1.0 / scale)
            return mono
        loudest = float(np.abs(mono).max(initial=0.0))
        if not np.isfinite(loudest):
            raise UsageError("samples are not finite: expected values in -1…1")
        if loudest > LOUDEST:
            raise UsageError(f"samples reach {loudest:.0f}: {EXPECTED}")
        return mono


def _rate(rate_hz: float) -> int:
    try:
        whole = int(rate_hz)
    except (TypeError, ValueError, OverflowError):
        whole = 0
    if whole != rate_hz or whole not in RATES_HZ:
        raise UsageError(
            f"rate_hz is {rate_hz!r}: expected a whole number of Hz from {RATES_HZ.start:,} to "
            f"{RATES_HZ.stop - 1:,}"
        )
    return whole


def _array(samples: object) -> NDArray[Any]:
    found: NDArray[Any] = np.asarray(samples)
    if found.dtype.kind != "f" and found.dtype.name not in FULL_SCALES:
        raise UsageError(f"samples are {_named(samples, found)}: {EXPECTED}")
    if found.ndim not in (1, 2) or (found.ndim == 2 and not 0 < found.shape[1] <= MAX_CHANNELS):
        raise UsageError(
            f"samples have the shape {list(found.shape)}: {EXPECTED}, of at most {MAX_CHANNELS}"
        )
    return found


def _named(samples: object, found: NDArray[Any]) -> str:
    return found.dtype.name if found.ndim and found.dtype.kind in "iub" else type(samples).__name__
