"""Standard error while the foot of the terminal is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO


class LinesAbove:
    """A stream that passes whole lines on, to be shown above the foot."""

    def __init__(self, say: Callable[[str], None], stream: TextIO) -> None:
        self._say = say
        self._stream = stream
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def flush(self) -> None:
        """Whole lines are shown at once."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
