"""Sources and sessions that follow a script."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from quest22.capture.sound_source import LiveSound
from quest22.cli.live.speaker import Speaker
from quest22.records import LiveEvent, Samples
from tests.support.live_events import event, final

BLOCK = np.full(1600, 0.25, np.float32)


class Sounds:
    """A source of sounds, by name."""

    title = "a script"

    def __init__(self, **sounds: Iterable[Any]) -> None:
        """A sound is its blocks; an exception in it is raised, a function called."""
        self._sounds = sounds

    def sounds(self) -> Iterator[LiveSound]:
        for name, script in self._sounds.items():
            yield LiveSound(name, _played(script))

    def close(self) -> None:
        """Nothing is held."""


def _played(script: Iterable[Any]) -> Iterator[Samples]:
    for each in script:
        if isinstance(each, BaseException):
            raise each
        if callable(each):
            each()
        else:
            yield each


class Session:
    """Answers each block with an interim text, and the end with a final one."""

    def __init__(self, room: int = 1 << 30) -> None:
        self._events: queue.SimpleQueue[LiveEvent | Exception | None] = queue.SimpleQueue()
        self._room = room
        self._blocks = 0

    def feed(self, samples: Samples) -> bool:
        self._blocks += 1
        self._events.put(event("interim", 0, "word " * self._blocks))
        return self._blocks < self._room

    def end(self) -> None:
        self._events.put(final(0, f"{self._blocks} blocks."))
        self._events.put(None)

    def fail(self, error: Exception) -> None:
        self._events.put(error)

    def __iter__(self) -> Iterator[LiveEvent]:
        while (each := self._events.get()) is not None:
            if isinstance(each, Exception):
                raise each
            yield each

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        """The model is the test's."""


class Shown:
    """A view that keeps what it is shown; ``on_final`` is called with final events."""

    def __init__(self, on_final: Callable[[], None] = lambda: None) -> None:
        self.finals: list[tuple[str, str]] = []
        self.states: list[str] = []
        self._on_final = on_final

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *_: object) -> None:
        self.states.append("closed")

    def show(self, speaker: Speaker, event: LiveEvent) -> None:
        if event.type == "final":
            self.finals.append((speaker.name, event.text.strip()))
            self._on_final()

    def tick(self, speakers: Sequence[Speaker], state: str) -> None:
        if not self.states or self.states[-1] != state:
            self.states.append(state)
