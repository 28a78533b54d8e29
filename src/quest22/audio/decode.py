"""Decodes encoded media of any format to blocks of mono 16 kHz float32.

Containers are opened in ``container``, channels mixed in ``mono``, rates converted in ``resample``.

A truncated file yields its audio up to the end, with a warning; a damaged packet is skipped, as
FFmpeg does (both are counted). A file without any audio is an error. Times count from the first
sample: start offsets and gaps that a container declares are not filled with silence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from quest22.audio.container import Recording, open_recording, translated_errors
from quest22.audio.mono import finite, mono_pieces
from quest22.audio.resample import in_blocks, to_16_khz
from quest22.errors import ClipError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Audio, Clip, Samples
from quest22.settings import AudioSettings
from quest22.settings.quantities import hours

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

logger = logging.getLogger(__name__)

BLOCK_S = 20
TOLERANCE_S = 0.1


class MediaDecoder:
    """Decodes clips with FFmpeg's libraries (through PyAV) and soxr; an :class:`AudioDecoder`.

    Stateless: several threads may decode different clips at once.
    """

    def __init__(self, settings: AudioSettings, metrics: Metrics | None = None) -> None:
        self._settings = settings
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
            yield _validated(clip.media)
            return
        with open_recording(clip, self._metrics) as recording, translated_errors(recording):
            _refuse_long(recording, self._settings.max_duration_s)
            samples = 0
            pieces = mono_pieces(self._frames(recording), self._settings.channel)
            for piece in to_16_khz(pieces):
                samples += len(piece)
                yield piece
        self._warn_if_truncated(clip, recording.header_duration_s, samples / SAMPLE_RATE_HZ)

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
    if recording.header_duration_s is not None and recording.header_duration_s > max_duration_s:
        stated = f"the file holds {hours(recording.header_duration_s)} of sound by its header"
        raise ClipError("audio", f"{stated}, more than {_limit_message(max_duration_s)}")


def _limit_message(max_duration_s: float) -> str:
    limit = hours(max_duration_s)
    return f"the {limit} that a recording may have: split it, or raise the max duration"


def _validated(samples: Samples) -> Samples:
    if samples.ndim != 1:
        raise ClipError("audio", f"samples have shape {samples.shape}: expected mono, one axis")
    if samples.dtype.kind != "f":
        raise ClipError("audio", f"samples are {samples.dtype}: expected float32 in -1 to 1")
    return finite(samples.astype(np.float32, copy=False))
