"""The values of frames, about a second at a time: mixed to mono, and brought to full scale ±1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.audio.frames import Frame, Layout
from quest22.audio.levels import Levels
from quest22.audio.timeline import Silence
from quest22.errors import ClipError
from quest22.records import Samples

MAX_AMPLITUDE = 1e6
PIECE_S = 1.0


def collected(
    frames: Iterable[Frame | Silence],
) -> Iterator[Silence | tuple[Layout, NDArray[Any]]]:
    """The values of frames, ``[channels, samples]``, about a second at a time, and silence.

    Mixing and resampling a second at once is many times cheaper than frame by frame.
    """
    pending: list[NDArray[Any]] = []
    layout: Layout | None = None
    count = 0
    for frame in frames:
        ends = isinstance(frame, Silence) or frame.layout != layout
        if layout is not None and pending and (ends or count >= PIECE_S * layout.rate_hz):
            yield layout, by_channel(pending, layout)
            pending, count = [], 0
        if isinstance(frame, Silence):
            yield frame
            continue
        layout = frame.layout
        pending.append(frame.values)
        count += frame.samples
    if layout is not None and pending:
        yield layout, by_channel(pending, layout)


def by_channel(parts: list[NDArray[Any]], layout: Layout) -> NDArray[Any]:
    """The values of adjacent frames, ``[channels, samples]``."""
    values: NDArray[Any] = np.concatenate(parts, axis=1)
    return values if layout.planar else values.reshape(-1, layout.channels).T


def mono_pieces(
    frames: Iterable[Frame | Silence], channel: int | None, levels: Levels
) -> Iterator[tuple[int, Samples]]:
    """Mono audio with its rate in Hz, about a second at a time.

    Where a later part lacks the ``channel`` that others have, all of its own are mixed.
    """
    found = False
    for piece in collected(frames):
        if isinstance(piece, Silence):
            yield from silent_pieces(piece)
            continue
        layout, values = piece
        is_there = channel is not None and 0 <= channel < layout.channels
        yield layout.rate_hz, mix(values, None if found and not is_there else channel, levels)
        found = True


def silent_pieces(silence: Silence, *channels: int) -> Iterator[tuple[int, Samples]]:
    """Silence about a second at a time, ``[samples]`` or ``[samples, channels]``."""
    for begin in range(0, silence.samples, silence.rate_hz):
        count = min(silence.rate_hz, silence.samples - begin)
        yield silence.rate_hz, np.zeros((count, *channels), np.float32)


def mix(values: NDArray[Any], channel: int | None, levels: Levels) -> Samples:
    """One of the channels, or the mean of all, as float32 with full scale ±1; never clipped."""
    if channel is not None and not 0 <= channel < len(values):
        raise ClipError(
            "audio",
            f"channel {channel} was asked for: the sound has {len(values)}, counted from 0",
        )
    mono = levels.mono(values if channel is None else values[channel : channel + 1])
    return full_scale(mono, values.dtype)


def full_scale(samples: Samples, kind: np.dtype[Any]) -> Samples:
    """Float32 samples that were of another type, in place with full scale ±1 and finite."""
    if kind.kind == "f":
        return finite(samples)
    if kind.kind == "u":
        samples -= np.float32(128.0)
    samples *= np.float32(2.0 ** (1 - 8 * kind.itemsize))
    return samples


def finite(samples: Samples) -> Samples:
    """Replace NaN, infinities and absurd amplitudes by 0.

    One such sample would make all features of its window NaN.
    """
    if len(samples) == 0 or np.abs(samples).max() <= MAX_AMPLITUDE:
        return samples
    quiet: Samples = np.where(np.abs(samples) <= MAX_AMPLITUDE, samples, np.float32(0.0))
    return quiet
