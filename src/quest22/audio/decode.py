"""Decodes encoded media of any format to blocks of mono 16 kHz float32.

Containers are opened in ``container``, rates converted in ``resample``; channels are mixed here.

A truncated file yields its audio up to the end, with a warning; a damaged packet is skipped, as
FFmpeg does (both are counted). A file without any audio is an error. Times count from the first
sample: start offsets and gaps that a container declares are not filled with silence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quest22.audio.container import (
    Recording,
    open_recording,
    stated_duration_s,
    translated_errors,
)
from quest22.audio.levels import Levels
from quest22.audio.resample import in_blocks, to_16_khz
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Audio, Clip, Samples
from quest22.settings import AudioSettings
from quest22.settings.quantities import hours

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

logger = logging.getLogger(__name__)

OnDuration: TypeAlias = Callable[[Clip, float], None]

BLOCK_S = 20
TOLERANCE_S = 0.1
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


class MediaDecoder:
    """Decodes clips with FFmpeg's libraries (through PyAV) and soxr; an :class:`AudioDecoder`.

    Stateless: several threads may decode different clips at once.
    """

    def __init__(
        self,
        settings: AudioSettings,
        metrics: Metrics | None = None,
        on_duration: OnDuration | None = None,
    ) -> None:
        """``on_duration`` is told the duration that a container states, as it is opened."""
        self._settings = settings
        self._on_duration = on_duration
        self._metrics = metrics or Metrics()

    def decode(self, clip: Clip) -> Audio:
        """Decode lazily: nothing is opened before the first block is taken.

        Blocks are 20 s long, the last one shorter. Taking one raises ClipError: stage ``source``
        if bytes cannot be read, ``audio`` if they cannot be decoded.
        """
        return Audio(clip, self._blocks(clip))

    def _blocks(self, clip: Clip) -> Iterator[Samples]:
        total, max_duration_s = 0, self._settings.max_duration_s
        for block in in_blocks(self._samples(clip), BLOCK_S * SAMPLE_RATE_HZ):
            total += len(block)
            if total > max_duration_s * SAMPLE_RATE_HZ:
                raise ClipError(
                    "audio", f"the sound is longer than {_limit_message(max_duration_s)}"
                )
            yield block
        if not total:
            raise ClipError("audio", "the file holds no sound: not one sample could be decoded")

    def _samples(self, clip: Clip) -> Iterator[Samples]:
        if isinstance(clip.media, np.ndarray):
            self._tell_duration(clip, len(clip.media) / SAMPLE_RATE_HZ)
            sound, levels = _validated(clip.media), Levels()
            for start in range(0, len(sound), SAMPLE_RATE_HZ):
                yield finite(levels.mono(sound[np.newaxis, start : start + SAMPLE_RATE_HZ]))
            levels.report(clip, self._metrics)
            return
        with open_recording(clip, self._metrics) as recording, translated_errors(recording):
            _refuse_long(recording, self._settings.max_duration_s)
            self._tell_duration(clip, stated_duration_s(recording))
            samples, levels = 0, Levels()
            pieces = mono_pieces(self._frames(recording), self._settings.channel, levels)
            for piece in to_16_khz(pieces):
                samples += len(piece)
                yield piece
        levels.report(clip, self._metrics)
        self._warn_if_truncated(clip, recording.header_duration_s, samples / SAMPLE_RATE_HZ)

    def _tell_duration(self, clip: Clip, duration_s: float | None) -> None:
        if duration_s is not None and self._on_duration is not None:
            self._on_duration(clip, duration_s)

    def _frames(self, recording: Recording) -> Iterator[AudioFrame]:
        import av

        for packet in recording.container.demux(recording.stream):
            try:
                frames: list[Any] = packet.decode()
            except av.error.InvalidDataError:
                self._metrics.count("damaged_packets")
                continue
            yield from frames

    def _warn_if_truncated(
        self, clip: Clip, header_duration_s: float | None, decoded_s: float
    ) -> None:
        """Log and count a clip that is shorter than its header states."""
        if (
            header_duration_s is None
            or decoded_s >= header_duration_s - TOLERANCE_S
            or not decoded_s
        ):
            return
        self._metrics.count("truncated")
        logger.warning(
            "%s: the file is truncated or damaged: expected %.1f s of audio, found %.1f s, which "
            "are transcribed; download the file again",
            clip.name,
            header_duration_s,
            decoded_s,
        )


def _refuse_long(recording: Recording, max_duration_s: float) -> None:
    """Raise ClipError at once if the header states a duration above the limit."""
    held_s = recording.held_duration_s
    if held_s is not None and held_s > max_duration_s:
        stated = f"the file holds {hours(held_s)} of sound by its header"
        raise ClipError("audio", f"{stated}, more than {_limit_message(max_duration_s)}")


def _limit_message(max_duration_s: float) -> str:
    limit = hours(max_duration_s)
    return f"the {limit} that a recording may have: split it, or raise the max duration"


def _validated(samples: Samples) -> Samples:
    if samples.ndim != 1:
        raise ClipError("audio", f"samples have shape {samples.shape}: expected mono, one axis")
    if samples.dtype.kind != "f":
        raise ClipError("audio", f"samples are {samples.dtype}: expected float32 in -1 to 1")
    return samples.astype(np.float32, copy=False)


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


def mono_pieces(
    frames: Iterable[AudioFrame], channel: int | None, levels: Levels
) -> Iterator[tuple[int, Samples]]:
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
            yield layout.rate_hz, mix(pending, layout, channel, levels)
            pending, count = [], 0
        layout = frame_layout
        pending.append(_samples(frame, frame_layout))
        count += frame.samples
    if layout is not None and pending:
        yield layout.rate_hz, mix(pending, layout, channel, levels)


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


def mix(parts: list[NDArray[Any]], layout: Layout, channel: int | None, levels: Levels) -> Samples:
    """One channel, or the mean of all, as float32 with full scale ±1; never clipped."""
    if channel is not None and not 0 <= channel < layout.channels:
        raise ClipError(
            "audio",
            f"channel {channel} was asked for: the sound has {layout.channels}, counted from 0",
        )
    values: NDArray[Any] = np.concatenate(parts, axis=1)
    if not layout.planar:
        values = values.reshape(-1, layout.channels).T
    mono = levels.mono(values if channel is None else values[channel : channel + 1])
    if values.dtype.kind == "f":
        return finite(mono)
    if values.dtype.kind == "u":
        mono -= np.float32(128.0)
    mono *= np.float32(2.0 ** (1 - 8 * values.dtype.itemsize))
    return mono


def finite(samples: Samples) -> Samples:
    """Replace NaN, infinities and absurd amplitudes by 0.

    One such sample would make all features of its window NaN.
    """
    if len(samples) == 0 or np.abs(samples).max() <= MAX_AMPLITUDE:
        return samples
    quiet: Samples = np.where(np.abs(samples) <= MAX_AMPLITUDE, samples, np.float32(0.0))
    return quiet
