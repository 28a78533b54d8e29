"""Writes captions: one file for each clip and format, or all of them to standard output.

What a document looks like is decided in :mod:`quest22.sink.formats.captions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.settings import CaptionSettings
from quest22.sink.file_names import OutputNames
from quest22.sink.files import Output, write_text_atomically, writing
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
        stem = self._names.stem(result.name)
        for name in self._formats:
            path = stem.with_name(f"{stem.name}.{name}")
            write_text_atomically(path, CAPTIONS[name](result, self._settings))
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
    """Writes the documents of all clips to one output, one after another."""

    def __init__(self, output: Output, name: str, settings: CaptionSettings) -> None:
        self._output = output
        self._caption = CAPTIONS[name]
        self._settings = settings

    def write(self, result: Transcript | Failure) -> None:
        if isinstance(result, Transcript):
            self._output.write(self._caption(result, self._settings))

    def publish(self) -> SinkState:
        return {"bytes": self._output.publish()}

    def close(self) -> None:
        self._output.close()
