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
PIECE_S = 1.0

_DTYPES: dict[str, type[np.generic]] = {
    "u8": np.uint8,
    "s16": np.int16,
    "s32": np.int32,
    "s64": np.int64,
    "flt": np.float32,
    "dbl": np.float64,
}
_DTYPES.update({f"{name}p": dtype for name, dtype in _DTYPES.items()})


@dataclass(frozen=True, slots=True)
class Layout:
    """The memory layout of consecutive frames."""

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
    """Mono audio with its rate in Hz, about a second at a time.

    Frames are collected first: mixing and resampling a second at once is many times cheaper than
    frame by frame.
    """
    pending: list[NDArray[Any]] = []
    layout: Layout | None = None
    count = 0
    for frame in frames:
        frame_layout = _layout(frame)
        if (
            layout is not None
            and pending
            and (frame_layout != layout or count >= PIECE_S * layout.rate_hz)
        ):
            yield layout.rate_hz, mix(pending, layout, channel)
            pending, count = [], 0
        layout = frame_layout
        pending.append(_samples(frame, frame_layout))
        count += frame.samples
    if layout is not None and pending:
        yield layout.rate_hz, mix(pending, layout, channel)


def _samples(frame: AudioFrame, layout: Layout) -> NDArray[Any]:
    """The frame's values, ``[planes, values]``; not copied if it has one plane."""
    dtype = _DTYPES.get(layout.sample_format)
    if dtype is None:
        raise ClipError("audio", f"samples of format {layout.sample_format} cannot be read")
    planes: tuple[Any, ...] = frame.planes
    if layout.channels == 1 or not layout.planar:
        count = frame.samples * layout.channels
        return np.frombuffer(planes[0], dtype, count)[np.newaxis]
    return np.stack([np.frombuffer(plane, dtype, frame.samples) for plane in planes])


def mix(parts: list[NDArray[Any]], layout: Layout, channel: int | None) -> Samples:
    """One channel, or the mean of all, as float32 with full scale ±1; never clipped."""
    if channel is not None and not 0 <= channel < layout.channels:
        raise ClipError(
            "audio",
            f"channel {channel} was asked for: the sound has {layout.channels}, counted from 0",
        )
    values: NDArray[Any] = np.concatenate(parts, axis=1)
    if not layout.planar:
        values = values.reshape(-1, layout.channels).T
    mono = _mean(values if channel is None else values[channel : channel + 1])
    if values.dtype.kind == "f":
        return finite(mono)
    if values.dtype.kind == "u":
        mono -= np.float32(128.0)
    mono *= np.float32(2.0 ** (1 - 8 * values.dtype.itemsize))
    return mono


def _mean(values: NDArray[Any]) -> Samples:
    with np.errstate(all="ignore"):  # absurd values are zeroed later
        mono: Samples = values[0].astype(np.float32)
        for other in values[1:]:
            mono += other
        if len(values) > 1:
            mono *= np.float32(1.0 / len(values))
    return mono


def finite(samples: Samples) -> Samples:
    """Replace NaN, infinities and absurd amplitudes by 0.

    One such sample would make all features of its window NaN.
    """
    if len(samples) == 0 or np.abs(samples).max() <= MAX_AMPLITUDE:
        return samples
    quiet: Samples = np.where(np.abs(samples) <= MAX_AMPLITUDE, samples, np.float32(0.0))
    return quiet
