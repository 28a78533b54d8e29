"""The lines of a segment that grows: committed text never moves, only what follows it does.

Lines are filled word by word, so that where a word stands depends on the words before it alone.
Where committed words stand is kept, and not decided again. Knows no terminal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.cells import cell_len

from quest22.records import LiveEvent
from quest22.sink.formats.line_breaks import unbroken


@dataclass(slots=True)
class Line:
    """A line of text: ``stable`` stays as it is, ``tail`` may change."""

    stable: str = ""
    tail: str = ""

    @property
    def text(self) -> str:
        return self.stable + self.tail


@dataclass(slots=True)
class SegmentLayout:
    """The lines of one segment, at most ``width`` cells wide where words allow it."""

    width: int
    _stable: str = ""
    _lines: list[Line] = field(default_factory=lambda: [Line()])

    def lines(self, event: LiveEvent) -> list[Line]:
        """The segment's lines as of an event, none without text."""
        stable = "".join(word.text for word in event.words if word.stable)
        tail = "".join(word.text for word in event.words if not word.stable)
        if not stable.startswith(self._stable):  # not from a session of ours
            self._stable, self._lines = "", [Line()]
        for piece in _pieces(stable[len(self._stable) :]):
            place = self._place(self._lines, piece)
            place.stable += piece.lstrip() if not place.stable else piece
        self._stable = stable
        lines = [Line(line.stable) for line in self._lines]
        for piece in _pieces(tail):
            place = self._place(lines, piece)
            place.tail += piece.lstrip() if not place.text else piece
        return [line for line in lines if line.text]

    def _place(self, lines: list[Line], piece: str) -> Line:
        """The line that the next piece belongs to: the last one, or a new one."""
        last = lines[-1]
        if last.text and cell_len(last.text + piece) > self.width:
            lines.append(Line())
        return lines[-1]


def _pieces(text: str) -> list[str]:
    """Words, and parts of text that has no spaces; anything that is no text is left out."""
    return unbroken("".join(each if each.isprintable() else " " for each in text))
