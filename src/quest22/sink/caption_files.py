"""One document a clip: files named after the clips, or one after the other on standard output.

Knows nothing of how a document looks: that is :mod:`quest22.sink.captions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.settings import CaptionSettings
from quest22.sink.captions import CAPTIONS
from quest22.sink.file_names import OutputNames
from quest22.sink.files import Output, replace_text, writing
from quest22.system.durable_files import sync_file, sync_folder


class CaptionFilesSink:
    """A file for each clip and format; each appears whole, as its clip is done.

    ``durable`` files survive a loss of power from the next ``publish`` on.
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
        self._fresh: list[Path] = []

    def write(self, result: Transcript | Failure) -> None:
        if not isinstance(result, Transcript):
            return
        stem = self._names.stem(result.name)
        for name in self._formats:
            path = stem.with_name(f"{stem.name}.{name}")
            replace_text(path, CAPTIONS[name](result, self._settings))
            if self._durable:
                self._fresh.append(path)

    def publish(self) -> SinkState:
        for path in self._fresh:
            with writing(path):
                sync_file(path)
        for folder in {path.parent for path in self._fresh}:
            sync_folder(folder)
        self._fresh.clear()
        return self._names.publish()

    def close(self) -> None:
        self.publish()
        self._names.close()


class CaptionStreamSink:
    """The documents of all clips, one after the other."""

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
