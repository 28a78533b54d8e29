"""Encoded sound made as a live encoder makes it, and streams that trickle."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import av
import numpy as np

from quest22.capture.notices import Notify
from quest22.records import Samples


def tone(seconds: float, rate_hz: int, hz: float = 440.0) -> Samples:
    """A tone that swells, so that its places differ: ``[samples]``."""
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    sound: Samples = (0.1 + 0.4 * at / max(seconds, 1e-9)) * np.sin(2 * np.pi * hz * at)
    return sound.astype(np.float32)


@dataclass(frozen=True)
class Encoding:
    """A container and codec, by FFmpeg's names."""

    container: str
    codec: str
    rate_hz: int = 48_000
    channels: int = 2
    options: dict[str, str] = field(default_factory=dict)

    def encode(self, sound: Samples) -> bytes:
        """A mono sound in all channels, as a muxer writes it that cannot go back."""
        written = io.BytesIO()
        layout = "mono" if self.channels == 1 else "stereo"
        with av.open(_OneWay(written), "w", format=self.container, options=self.options) as out:
            stream = out.add_stream(self.codec, rate=self.rate_hz, layout=layout)
            context = stream.codec_context
            resampler = av.AudioResampler(context.format, layout, self.rate_hz)
            size = context.frame_size or 1024
            for begin in range(0, len(sound), size):
                values = np.tile(sound[begin : begin + size], (self.channels, 1))
                frame = av.AudioFrame.from_ndarray(values, "fltp", layout)
                frame.sample_rate, frame.pts = self.rate_hz, begin
                for each in resampler.resample(frame):
                    out.mux(stream.encode(each))
            out.mux(stream.encode(None))
        return written.getvalue()


class _OneWay:
    def __init__(self, file: io.BytesIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        return self._file.write(data)


class Trickle:
    """A stream of bytes that come some at a time; ``taken`` counts them."""

    def __init__(self, data: bytes | Iterable[bytes], at_once: int = 1 << 30) -> None:
        parts = [data] if isinstance(data, bytes) else data
        self._parts: Iterator[bytes] = (
            part[begin : begin + at_once]
            for part in parts
            for begin in range(0, len(part), at_once)
        )
        self._rest = b""
        self.taken = 0

    def read(self, size: int) -> bytes:
        data = self._rest or next(self._parts, b"")
        data, self._rest = data[:size], data[size:]
        self.taken += len(data)
        return data


class Told(list[str]):
    """The lines that a source has told."""

    def __call__(self, line: str) -> None:
        self.append(line)


def nobody() -> Notify:
    """For sounds of which nothing is to be told."""

    def tell(line: str) -> None:
        raise AssertionError(line)

    return tell
