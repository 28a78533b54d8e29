"""A recording that exists, heard at its own pace or as fast as it can be decoded."""

from __future__ import annotations

from collections.abc import Iterator

from quest22.audio.decode import MediaDecoder
from quest22.capture.blocks import in_short_blocks
from quest22.capture.each_channel import channel_sounds
from quest22.capture.pacing import paced
from quest22.capture.raw_pcm import Piece
from quest22.capture.settings import CaptureSettings
from quest22.capture.sound_source import LiveSound
from quest22.capture.stop import Stop
from quest22.errors import ClipError, UsageError
from quest22.metrics import Metrics
from quest22.records import SAMPLE_RATE_HZ, Failure, Samples
from quest22.source.files import FilesSource


class RecordingSource:
    """A :class:`SoundSource` of one file or URL."""

    def __init__(self, settings: CaptureSettings, stop: Stop) -> None:
        """Raises :class:`quest22.errors.SourceError` if there is none, UsageError for several."""
        source = str(settings.source)
        self._settings = settings
        self._stop = stop
        self._files = FilesSource([source], metrics=Metrics(), token=settings.token)
        if len(self._files) != 1:
            raise UsageError(
                f"{source} is {len(self._files)} recordings: expected one; quest22 transcribe "
                "takes them all"
            )
        ((_, self.title),) = self._files.names()

    def sounds(self) -> Iterator[LiveSound]:
        if self._settings.each_channel:
            yield from channel_sounds(self._pieces(), self._paced)
        else:
            yield LiveSound(self.title, self._paced(self._decoded()))

    def close(self) -> None:
        """Does nothing: the file is closed when its blocks end."""

    def _decoded(self) -> Iterator[Samples]:
        (clip,) = self._files
        if isinstance(clip, Failure):
            raise ClipError(clip.stage, clip.reason)
        return MediaDecoder(self._settings.audio).decode(clip).blocks

    def _pieces(self) -> Iterator[Piece]:
        for block in in_short_blocks(self._decoded()):  # [samples, channels]
            yield SAMPLE_RATE_HZ, block.T

    def _paced(self, sound: Iterator[Samples]) -> Iterator[Samples]:
        if self._settings.pace == "fast":
            return self._until_stopped(in_short_blocks(sound))
        return paced(sound, self._stop.wait)

    def _until_stopped(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        for block in blocks:
            if self._stop.is_set:
                return
            yield block
