"""Decoded frames to mono float32. Knows FFmpeg's sample formats, nothing of containers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quest22.errors import ClipError
from quest22.records import Samples

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 256
MAX_AMPLITUDE = 1e6
GATHER_S = 1.0

_FULL_SCALE = {"u1": 2.0**7, "i2": 2.0**15, "i4": 2.0**31, "f4": 1.0, "f8": 1.0}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a stretch of frames lies in memory."""

    rate_hz: int
    channels: int
    planar: bool
    sample_format: str


def _layout(frame: AudioFrame) -> Layout:
    layout = Layout(
        frame.sample_rate, frame.layout.nb_channels, frame.format.is_planar, frame.format.name
    )
    if not MIN_RATE_HZ <= layout.rate_hz <= MAX_RATE_HZ:
        raise ClipError(
            "audio",
            f"the sound has {layout.rate_hz} samples a second: expected {MIN_RATE_HZ} to "
            f"{MAX_RATE_HZ}; the header is probably damaged",
        )
    if not 1 <= layout.channels <= MAX_CHANNELS:
        raise ClipError(
            "audio", f"the sound has {layout.channels} channels: expected 1 to {MAX_CHANNELS}"
        )
    return layout


def mono_pieces(frames: Iterable[AudioFrame], channel: int | None) -> Iterator[tuple[int, Samples]]:
    """Mono sound with its rate in Hz, about a second at a time.

    Frames are gathered first: mixing and resampling a second at once is many times cheaper than
    frame by frame.
    """
    held: list[NDArray[Any]] = []
    layout: Layout | None = None
    count = 0
    for frame in frames:
        now = _layout(frame)
        if layout is not None and held and (now != layout or count >= GATHER_S * layout.rate_hz):
            yield layout.rate_hz, mix(held, layout, channel)
            held, count = [], 0
        layout = now
        held.append(frame.to_ndarray())
        count += frame.samples
    if layout is not None and held:
        yield layout.rate_hz, mix(held, layout, channel)


def mix(parts: list[NDArray[Any]], layout: Layout, channel: int | None) -> Samples:
    """One channel, or the mean of all, as float32 where ±1 is full scale; never clipped."""
    if channel is not None and not 0 <= channel < layout.channels:
        raise ClipError(
            "audio",
            f"channel {channel} was asked for: the sound has {layout.channels}, counted from 0",
        )
    sound = np.concatenate(parts, axis=1)
    if not layout.planar:
        sound = sound.reshape(-1, layout.channels).T
    mono = _mean(sound) if channel is None else sound[channel].astype(np.float32)
    if sound.dtype.kind == "u":
        mono -= np.float32(128.0)
    scale = _FULL_SCALE[sound.dtype.str[1:]]
    if scale != 1.0:
        mono *= np.float32(1.0 / scale)
    return finite(mono)


def _mean(sound: NDArray[Any]) -> Samples:
    if len(sound) == 1:
        return sound[0].astype(np.float32)
    mono: Samples = sound[0].astype(np.float32)
    for other in sound[1:]:
        mono += other
    mono *= np.float32(1.0 / len(sound))
    return mono


def finite(samples: Samples) -> Samples:
    """Silence samples that are no sound: NaN, infinities and absurd amplitudes become 0.

    One such sample would make a whole window's features NaN.
    """
    if len(samples) == 0 or np.abs(samples).max() <= MAX_AMPLITUDE:
        return samples
    quiet: Samples = np.where(np.abs(samples) <= MAX_AMPLITUDE, samples, np.float32(0.0))
    return quiet
