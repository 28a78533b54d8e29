"""The decoded frames of a recording, whatever FFmpeg stumbles over on the way.

Damage is judged by whether sound comes, not by the kind of error: what cannot be read or decoded is
passed over and reported as :class:`Lost`, and reading goes on with what follows. Nothing that PyAV
counts is believed. Knows no times but those that the container states.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from quest22.audio.container import Recording
from quest22.audio.packets import Lost, ends_run, packets
from quest22.audio.pyav_guards import keep_custom_layout
from quest22.audio.raw_streams import RawStream
from quest22.metrics import Metrics

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame
    from av.packet import Packet

MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 768_000
MAX_CHANNELS = 256

FLUSH_AFTER = 3
"""Undecodable packets in a row after which the decoder forgets what came before."""

GAP_S = 0.005
"""Timestamps are often rounded to milliseconds."""

UNDECODABLE = "the sound cannot be decoded"

_DTYPES: dict[str, np.dtype[Any]] = {
    "u8": np.dtype(np.uint8),
    "s16": np.dtype(np.int16),
    "s32": np.dtype(np.int32),
    "s64": np.dtype(np.int64),
    "flt": np.dtype(np.float32),
    "dbl": np.dtype(np.float64),
}
_DTYPES.update({f"{name}p": dtype for name, dtype in _DTYPES.items()})


@dataclass(frozen=True, slots=True)
class Layout:
    """The memory layout of consecutive frames."""

    rate_hz: int
    channels: int
    planar: bool
    sample_format: str


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A few milliseconds of sound; ``values`` are ``[planes, values]``.

    ``time_s`` is when it is presented, on the container's clock; None if that is unknown.
    """

    layout: Layout
    values: NDArray[Any]
    samples: int
    time_s: float | None

    @property
    def duration_s(self) -> float:
        return self.samples / self.layout.rate_hz


class BadFrameError(ValueError):
    """A frame claims what cannot be; the message says what."""


def frames(recording: Recording, metrics: Metrics) -> Iterator[Frame | Lost]:
    """All that can be decoded, in order.

    Raises :class:`quest22.errors.ClipError` if bytes cannot be read.
    """
    decoder = _Decoder(recording, metrics)
    for packet in packets(recording):
        if isinstance(packet, Lost):
            yield packet
        elif packet.size and not decoder.raw.is_tag(packet):  # an empty one would end the decoder
            yield from decoder.decode(packet)
    yield from decoder.decode(None)


class _Decoder:
    """A stream's decoder that goes on after errors."""

    def __init__(self, recording: Recording, metrics: Metrics) -> None:
        self._reader = recording.reader
        self._context: AudioCodecContext = recording.stream.codec_context
        self._metrics = metrics
        self.raw = RawStream(recording.container.format.name)
        self._tick_s = float(recording.stream.time_base or 0)
        self._errors = 0
        self._layouts: dict[tuple[int, int, str], Layout] = {}
        self._last: Frame | None = None
        self._was_silent = False  # some decoders give nothing rather than an error

    def decode(self, packet: Packet[Any] | None) -> Iterator[Frame | Lost]:
        """The frames of a packet; None: those that the decoder still holds at the end."""
        try:
            frames = self._decoded(packet)
        except Exception as exc:
            if ends_run(exc):
                raise
            self._reader.check()
            yield from self._lost(packet, UNDECODABLE)
            return
        self._errors = 0
        self._was_silent |= not frames
        seconds = 0.0
        for frame in frames:
            if not frame.samples:
                continue
            try:
                read = self._read(frame)
            except BadFrameError as exc:
                yield from self._lost(packet, str(exc))
                continue
            if self._was_silent and _leaves_gap(self._last, read):
                yield Lost(0.0, UNDECODABLE)
            self._last, self._was_silent = read, False
            seconds += read.duration_s
            yield read
        if packet is not None:
            self.raw.count(packet, seconds)

    def _decoded(self, packet: Packet[Any] | None) -> list[AudioFrame]:
        import av

        try:
            return list(self._context.decode(packet))
        except (av.error.BlockingIOError, av.error.EOFError):  # it takes no more until it is reset
            if packet is None:
                return []
            self._context.flush_buffers()
            return list(self._context.decode(packet))

    def _lost(self, packet: Packet[Any] | None, reason: str) -> Iterator[Lost]:
        if packet is None:
            return
        self._metrics.count("damaged_packets")
        self._errors += 1
        if self._errors % FLUSH_AFTER == 0:
            self._context.flush_buffers()
        yield Lost(self.raw.lost_s(packet, (packet.duration or 0) * self._tick_s), reason)

    def _read(self, frame: AudioFrame) -> Frame:
        keep_custom_layout(frame)
        shape = (frame.sample_rate, frame.layout.nb_channels, frame.format.name)
        layout = self._layouts.get(shape)
        if layout is None:
            layout = self._layouts[shape] = _layout(*shape)
        time_s = None if frame.pts is None else frame.pts * self._tick_s
        return Frame(layout, _values(frame, layout), frame.samples, time_s)


def _leaves_gap(before: Frame | None, frame: Frame) -> bool:
    if before is None or before.time_s is None or frame.time_s is None:
        return False
    return frame.time_s - (before.time_s + before.duration_s) > GAP_S


def _layout(rate_hz: int, channels: int, sample_format: str) -> Layout:
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise BadFrameError(
            f"the sound has {rate_hz} samples a second: expected {MIN_RATE_HZ} to "
            f"{MAX_RATE_HZ}; the header is probably damaged"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadFrameError(f"the sound has {channels} channels: expected 1 to {MAX_CHANNELS}")
    if sample_format not in _DTYPES:
        raise BadFrameError(f"samples of format {sample_format} cannot be read")
    return Layout(rate_hz, channels, sample_format.endswith("p"), sample_format)


def _values(frame: AudioFrame, layout: Layout) -> NDArray[Any]:
    """The frame's values, ``[planes, values]``; not copied if it has one plane.

    ``frame.planes`` searches a list for its end that has none from eight planes on, and so gives
    planes that are not there. Each is asked for by its number instead, and its size is checked.
    """
    from av.audio.plane import AudioPlane

    dtype, samples = _DTYPES[layout.sample_format], frame.samples
    is_planar = layout.planar and layout.channels > 1
    count = samples if is_planar else samples * layout.channels
    planes: list[Any] = [
        AudioPlane(frame, number) for number in range(layout.channels if is_planar else 1)
    ]
    for plane in planes:
        if plane.buffer_size < count * dtype.itemsize or not plane.buffer_ptr:
            raise BadFrameError(f"a frame has fewer than the {samples} samples that it claims")
    if not is_planar:
        return np.frombuffer(planes[0], dtype, count)[np.newaxis]
    values = np.empty((layout.channels, samples), dtype)
    for row, plane in zip(values, planes, strict=True):
        row[:] = np.frombuffer(plane, dtype, count)
    return values
