"""Undecoded sound of any container to blocks of mono 16 kHz float32, as a stream.

Knows how long a recording may be and what becomes of damaged packets. Opening is in ``opening``,
mixing in ``mono``, rates in ``resample``. Knows nothing of where a clip comes from or goes to.

A file that breaks off yields the sound up to the break, and a warning is logged; a damaged packet
is passed over as FFmpeg does (both are counted). A file that yields no sound at all is an error.
Times count from the first sample: a start offset or a gap that a container claims is not filled
with silence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from quest22.audio.container import Recording, decoding, opened
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
    """Decodes clips with FFmpeg's libraries (through PyAV) and soxr; a :class:`Decoder`.

    Has no state of its own: several threads may decode different clips at once.
    """

    def __init__(self, settings: AudioSettings, metrics: Metrics | None = None) -> None:
        self._settings = settings
        self._metrics = metrics or Metrics()

    def decode(self, clip: Clip) -> Audio:
        """Start decoding; nothing is opened before the first block is taken.

        Blocks are 20 s (the last one shorter). Taking one raises ClipError: stage ``source``
        where bytes cannot be read, ``audio`` where they are not sound.
        """
        return Audio(clip, self._blocks(clip))

    def _blocks(self, clip: Clip) -> Iterator[Samples]:
        total, longest_s = 0, self._settings.max_duration_s
        for block in in_blocks(self._sound(clip), BLOCK_S * SAMPLE_RATE_HZ):
            total += len(block)
            if total > longest_s * SAMPLE_RATE_HZ:
                raise ClipError("audio", f"the sound is longer than {_allowed(longest_s)}")
            yield block
        if not total:
            raise ClipError("audio", "the file holds no sound: not one sample could be decoded")

    def _sound(self, clip: Clip) -> Iterator[Samples]:
        if isinstance(clip.media, np.ndarray):
            yield _checked(clip.media)
            return
        with opened(clip, self._metrics) as recording, decoding(recording):
            _refuse_long(recording, self._settings.max_duration_s)
            samples = 0
            pieces = mono_pieces(self._frames(recording), self._settings.channel)
            for piece in to_16_khz(pieces):
                samples += len(piece)
                yield piece
        self._compare(clip, recording.promised_s, samples / SAMPLE_RATE_HZ)

    def _frames(self, recording: Recording) -> Iterator[AudioFrame]:
        import av

        for packet in recording.container.demux(recording.stream):
            try:
                frames: list[Any] = packet.decode()
            except av.error.InvalidDataError:
                self._metrics.count("damaged_packets")
                continue
            yield from frames

    def _compare(self, clip: Clip, promised_s: float | None, came_s: float) -> None:
        """Say so where less sound came than the header promises."""
        if promised_s is None or came_s >= promised_s - TOLERANCE_S or not came_s:
            return
        self._metrics.count("truncated")
        logger.warning(
            "%s: the file is truncated or damaged: %.1f s of sound were expected, the %.1f s "
            "that came are transcribed; fetch the file again",
            clip.name,
            promised_s,
            came_s,
        )


def _refuse_long(recording: Recording, longest_s: float) -> None:
    """Raise ClipError at once where the header tells that the sound is too long."""
    if recording.promised_s is not None and recording.promised_s > longest_s:
        told = f"the file holds {hours(recording.promised_s)} of sound by its header"
        raise ClipError("audio", f"{told}, more than {_allowed(longest_s)}")


def _allowed(longest_s: float) -> str:
    return f"the {hours(longest_s)} that a recording may have: split it, or raise the max duration"


def _checked(samples: Samples) -> Samples:
    if samples.ndim != 1:
        raise ClipError("audio", f"samples have shape {samples.shape}: expected mono, one axis")
    if samples.dtype.kind != "f":
        raise ClipError("audio", f"samples are {samples.dtype}: expected float32 in -1 to 1")
    return finite(samples.astype(np.float32, copy=False))
