"""Sound files of every format, made by FFmpeg's encoders while a test runs."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quest22.records import SAMPLE_RATE_HZ, Clip, Media, Origin, Samples

Signal = NDArray[np.float32]


@dataclass(frozen=True)
class Format:
    """A container with one audio codec. ``video`` adds a picture track before the sound."""

    name: str
    container: str
    codec: str
    rate: int = 16_000
    channels: int = 1
    video: str | None = None

    @property
    def layout(self) -> str:
        return {1: "mono", 2: "stereo", 6: "5.1"}[self.channels]


def clip(media: Media, name: str = "clip") -> Clip:
    return Clip(name, name, media, Origin("test"))


def tone(rate: int, seconds: float, hz: float = 440.0, level: float = 0.5) -> Signal:
    """A sine, ``[samples]``."""
    time_s = np.arange(round(rate * seconds)) / rate
    return (level * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def encode(form: Format, channels: list[Signal]) -> bytes:
    """The signals, one a channel, in the given format; skips the test without its encoder."""
    import av

    if form.codec not in av.codecs_available:
        pytest.skip(f"this build of FFmpeg has no encoder {form.codec}")
    file = io.BytesIO()
    with av.open(file, "w", format=form.container) as container:
        picture = container.add_stream(form.video, rate=25) if form.video else None
        options = {"strict": "experimental", "b": "96000"}
        stream = container.add_stream(form.codec, form.rate, options, layout=form.layout)
        if picture is not None:
            _draw(container, picture)
        for frame in _frames(stream.codec_context, form, np.stack(channels), form.layout):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def encode_layout(container: str, codec: str, layout: str, channels: list[Signal]) -> bytes:
    """The signals, one a channel, in any of FFmpeg's channel layouts; all at the codec's rate."""
    import av

    rate = {"libopus": 48_000, "aac": 48_000, "flac": 48_000}.get(codec, 16_000)
    rate = 48_000 if len(channels[0]) > 2 * 16_000 else rate
    file = io.BytesIO()
    form = Format("", container, codec, rate)
    with av.open(file, "w", format=container) as media:
        stream = media.add_stream(codec, rate, {"strict": "experimental"}, layout=layout)
        for frame in _frames(stream.codec_context, form, np.stack(channels), layout):
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    return file.getvalue()


def _frames(context: Any, form: Format, sound: NDArray[np.float32], layout: str) -> list[Any]:
    import av

    resampler = av.AudioResampler(
        format=context.format,
        layout=layout,
        rate=form.rate,
        frame_size=context.frame_size or 1024,
    )
    packed = np.ascontiguousarray(sound.astype(np.float32).T).reshape(1, -1)
    whole = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    whole.sample_rate = form.rate
    whole.time_base = Fraction(1, form.rate)
    whole.pts = 0
    return [*resampler.resample(whole), *resampler.resample(None)]


def _draw(container: Any, stream: Any) -> None:
    """A second of moving grey."""
    import av

    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    for number in range(25):
        frame = av.VideoFrame.from_ndarray(np.full((96, 64), 10 * number, np.uint8), "yuv420p")
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def loudest_hz(samples: Samples) -> float:
    """The strongest frequency of 16 kHz sound."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * SAMPLE_RATE_HZ / len(samples))
