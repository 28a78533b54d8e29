"""Writes captions: one file for each clip and format, or all of them to standard output.

What a document looks like is decided in :mod:`quest22.sink.formats.captions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

from quest22.protocols import SinkState
from quest22.records import Failure, Origin, Partial, Segment, Transcript
from quest22.settings import CaptionSettings
from quest22.sink.file_names import OutputNames
from quest22.sink.files import Output, encode, write_bytes_atomically, writing
from quest22.sink.formats.captions import CAPTIONS
from quest22.system.atomic_files import sync_file, sync_folder


class CaptionFilesSink:
    """Writes a file for each clip and format; each appears complete, when its clip is done.

    ``durable`` files survive a power failure once ``publish`` has returned.
    """

    def __init__(
        self,
        names: OutputNames,
        formats: Sequence[str],
        settings: CaptionSettings,
        *,
        durable: bool = False,
    ) -> None:
        self._names = names
        self._formats = tuple(formats)
        self._settings = settings
        self._durable = durable
        self._unsynced: list[Path] = []

    def write(self, result: Transcript | Failure) -> None:
        if not isinstance(result, Transcript):
            return
        documents = {name: encode(CAPTIONS[name](result, self._settings)) for name in self._formats}
        notes = {name: (len(each), crc32(each)) for name, each in documents.items()}
        stem = self._names.stem(result.name, notes)
        for name, document in documents.items():
            path = stem.with_name(f"{stem.name}.{name}")
            write_bytes_atomically(path, document)
            if self._durable:
                self._unsynced.append(path)

    def publish(self) -> SinkState:
        for path in self._unsynced:
            with writing(path):
                sync_file(path)
        for folder in {path.parent for path in self._unsynced}:
            sync_folder(folder)
        self._unsynced.clear()
        return self._names.publish()

    def close(self) -> None:
        self.publish()
        self._names.close()


class CaptionStreamSink:
    """Writes the documents of all clips to one output, one after another.

    ``live``: plain text is written as it grows, see :meth:`grow`.
    """

    def __init__(
        self, output: Output, name: str, settings: CaptionSettings, *, live: bool = False
    ) -> None:
        self._output = output
        self._name = name
        self._settings = settings
        self._live = live and name == "txt" and not settings.sentences
        self._growing: tuple[str, Partial] | None = None
        self._written = ""  # of the clip that grows

    def grow(self, clip_name: str, partial: Partial) -> None:
        """Take the transcript so far of the clip whose result comes next.

        If the run ends before that, this much is written.
        """
        self._growing = clip_name, partial
        if self._live:
            self._write(_unfinished(clip_name, partial.committed))

    def write(self, result: Transcript | Failure) -> None:
        self._growing = None
        if isinstance(result, Transcript):
            self._write(result)
        self._written = ""

    def publish(self) -> SinkState:
        return self._output.publish()

    def close(self) -> None:
        if self._growing is not None and self._name != "json":  # which would seem complete
            clip_name, partial = self._growing
            self._growing = None
            interim = partial.interim if self._name == "txt" else ""  # it has no times
            if partial.committed or interim.strip():
                self._write(_unfinished(clip_name, partial.committed, interim))
        self._output.close()

    def _write(self, transcript: Transcript) -> None:
        """Write what is new of a document."""
        document = CAPTIONS[self._name](transcript, self._settings)
        new = document.removeprefix(self._written)
        self._written = document
        if new:
            self._output.write(new)


def _unfinished(name: str, committed: tuple[Segment, ...], interim: str = "") -> Transcript:
    """The transcript of a clip so far."""
    end_s = committed[-1].end_s if committed else 0.0
    rest = (Segment(end_s, end_s, interim),) if interim.strip() else ()
    segments = (*committed, *rest)
    text = Partial(committed, interim).text
    language = segments[0].language if segments else None
    return Transcript(name, name, text, language, 0.0, end_s, segments, Origin(""))
