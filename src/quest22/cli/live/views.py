"""Shows live events as lines of a format, in a pipe or a file; what every view of them is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from quest22.cli.live.speaker import Speaker
from quest22.records import LiveEvent
from quest22.sink.files import Output
from quest22.sink.formats.json_values import json_line
from quest22.sink.formats.live_documents import LiveDocument
from quest22.sink.formats.live_events import event_fields


class View(Protocol):
    """Shows what sessions give. Thread-safe. Writing raises BrokenPipeError if nobody reads."""

    def __enter__(self) -> View: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, speaker: Speaker, event: LiveEvent) -> None:
        """An event has come."""
        ...

    def tick(self, speakers: Sequence[Speaker], state: str) -> None:
        """Some time has passed, and these speak; ``state`` is what the program does otherwise."""
        ...


class EventLines:
    """Writes every event as a line of JSON; ``named``: with who speaks."""

    def __init__(self, output: Output, *, named: bool) -> None:
        self._output = output
        self._named = named
        self._lock = threading.Lock()

    def __enter__(self) -> View:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was begun."""

    def show(self, speaker: Speaker, event: LiveEvent) -> None:
        source: dict[str, object] = {}
        if speaker.channel is not None:
            source = {"channel": speaker.channel}
        elif self._named:
            source = {"source": speaker.name}
        with self._lock:
            self._output.write(json_line({**event_fields(event), **source}))

    def tick(self, speakers: Sequence[Speaker], state: str) -> None:
        """Does nothing: a pipe gets events alone."""


class FinalLines:
    """Writes what is final, as it is, in a format of captions; ``named``: with who speaks."""

    def __init__(self, output: Output, document: LiveDocument, *, named: bool) -> None:
        self._output = output
        self._document = document
        self._named = named
        self._lock = threading.Lock()

    def __enter__(self) -> View:
        if self._document.head:
            self._output.write(self._document.head)
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was begun."""

    def show(self, speaker: Speaker, event: LiveEvent) -> None:
        if event.type != "final":
            return
        with self._lock:
            new = self._document.add(event)
            if new:
                self._output.write(f"{speaker.name}: {new}" if self._named else new)

    def tick(self, speakers: Sequence[Speaker], state: str) -> None:
        """Does nothing: a pipe gets text alone."""
