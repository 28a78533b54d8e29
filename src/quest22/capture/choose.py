"""Chooses the source of live sound."""

from __future__ import annotations

from quest22.capture.notices import Notify
from quest22.capture.settings import STDIN, CaptureSettings
from quest22.capture.sound_source import SoundSource
from quest22.capture.stop import Stop
from quest22.source.io.address import is_url
from quest22.source.local_files import FileKind, kind_of_path


def open_source(settings: CaptureSettings, stop: Stop, notify: Notify) -> SoundSource:
    """The source that settings name. What can be wrong with it is found here, before any sound.

    Raises :class:`quest22.errors.UsageError` and :class:`quest22.errors.SourceError`.
    """
    if settings.listen is not None:
        from quest22.capture.tcp import TcpSource

        return TcpSource(settings, stop, notify)
    if settings.source is None:
        from quest22.capture.microphone import MicrophoneSource

        return MicrophoneSource(settings, stop, notify)
    from quest22.capture.pipe import PipeSource

    if settings.source == STDIN:
        return PipeSource(settings, stop, notify)
    if is_url(settings.source):
        from quest22.capture.web_stream import WebStreamSource, open_endless

        answer = open_endless(settings.source)
        if answer is not None:
            return WebStreamSource(answer, settings, stop, notify)
    elif kind_of_path(settings.source)[0] is FileKind.PIPE:
        return PipeSource.named(settings.source, settings, stop, notify)
    from quest22.capture.recording import RecordingSource

    return RecordingSource(settings, stop)
