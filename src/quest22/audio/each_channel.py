"""Keeps the channels of a recording apart, for callers who have one each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quest22.audio.frames import Frame
from quest22.audio.levels import Levels
from quest22.audio.mixing import mean
from quest22.audio.pieces import collected, full_scale, silent_pieces
from quest22.audio.timeline import Silence
from quest22.errors import ClipError
from quest22.records import Samples

MOST_CHANNELS = 8


def channel_pieces(
    frames: Iterable[Frame | Silence], levels: Levels
) -> Iterator[tuple[int, Samples]]:
    """Audio with its rate in Hz, about a second at a time: ``[samples, channels]``.

    That of a mono recording is ``[samples]``. A later part with another number of channels is mixed
    into all of them. Raises :class:`ClipError` for more than 8 channels.
    """
    shape: tuple[int, ...] | None = None
    waiting: Silence | None = None
    for piece in collected(frames):
        if isinstance(piece, Silence):  # a frame follows, which tells the number of channels
            waiting = piece
            continue
        layout, values = piece
        if shape is None:
            shape = _shape(layout.channels)
        if waiting is not None:
            yield from silent_pieces(waiting, *shape)
            waiting = None
        yield layout.rate_hz, _apart(values, shape, levels)


def _shape(channels: int) -> tuple[int, ...]:
    """The shape of a sample."""
    if channels > MOST_CHANNELS:
        raise ClipError(
            "audio",
            f"the sound has {channels} channels: --channel each takes {MOST_CHANNELS} at most; "
            "choose one by its number, or the mix of all",
        )
    return (channels,) if channels > 1 else ()


def _apart(values: NDArray[Any], shape: tuple[int, ...], levels: Levels) -> Samples:
    """A piece, ``[channels, samples]``, with a sample's shape last; float32 with full scale ±1."""
    unit = levels.to_unit(values)
    with np.errstate(all="ignore"):  # absurd values are zeroed
        if shape == (len(unit),):
            samples = np.ascontiguousarray(unit.T, np.float32)
        else:
            mono = mean(unit)
            samples = np.repeat(mono[:, np.newaxis], shape[0], axis=1) if shape else mono
    writable = samples if samples.flags.writeable and samples.base is None else samples.copy()
    return full_scale(writable, values.dtype)
