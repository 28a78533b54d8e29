"""Standard input or a named pipe, with raw samples or any container."""

from __future__ import annotations

import os
from collections.abc import Iterator

from quest22.capture.blocks import live_blocks
from quest22.capture.byte_streams import PipeBytes
from quest22.capture.decoding import decoded
from quest22.capture.each_channel import channel_sounds
from quest22.capture.notices import Notify
from quest22.capture.pacing import paced
from quest22.capture.raw_pcm import Piece
from quest22.capture.settings import STDIN, CaptureSettings
from quest22.capture.sound_source import LiveSound
from quest22.capture.stop import Stop
from quest22.errors import ClipError, SourceError
from quest22.records import Samples
from quest22.system import WINDOWS


class PipeSource:
    """A :class:`SoundSource` that reads a descriptor; its own if ``owned``."""

    def __init__(
        self, settings: CaptureSettings, stop: Stop, notify: Notify, descriptor: int = 0
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._notify = notify
        self._descriptor = descriptor
        is_stdin = settings.source in (None, STDIN)
        self.title = "standard input" if is_stdin else str(settings.source)
        self._owned = not is_stdin

    @classmethod
    def named(cls, path: str, settings: CaptureSettings, stop: Stop, notify: Notify) -> PipeSource:
        """A pipe by its path; raises :class:`SourceError` if it cannot be opened."""
        try:  # else it would wait for a writer here, deaf to Ctrl-C's polite end
            descriptor = os.open(path, os.O_RDONLY | (0 if WINDOWS else os.O_NONBLOCK))
        except OSError as exc:
            raise SourceError(f"cannot open {path}: {exc.strerror or exc}") from exc
        return cls(settings, stop, notify, descriptor)

    def sounds(self) -> Iterator[LiveSound]:
        if self._settings.each_channel:
            yield from channel_sounds(self._pieces(), self._paced)
        else:
            blocks = live_blocks(self._pieces(), self._settings.channel)
            yield LiveSound(self.title, self._paced(blocks))

    def _pieces(self) -> Iterator[Piece]:
        """The sound. Without any, the program that should have sent it has failed."""
        settings, came = self._settings, False
        stream = PipeBytes(self._descriptor, self._stop)
        track = settings.audio.audio_track
        for piece in decoded(stream, settings.raw, self.title, self._notify, track):
            came = True
            yield piece
        if not came and not self._stop.is_set:
            raise ClipError("audio", "nothing came")

    def _paced(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        return paced(blocks, self._stop.wait) if self._settings.pace == "real" else blocks

    def close(self) -> None:
        if self._owned:
            os.close(self._descriptor)
