"""The foot of a terminal: lines that are redrawn in place, and lines above them that stay.

Knows no captions. Lines are written over and not erased first, so that nothing flickers, and each
picture as one write.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
BEGIN_PICTURE, END_PICTURE = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: terminals that know it show the whole picture at once."""
ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"


class Screen:
    """The foot of the terminal that a console writes to."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._foot: list[str] = []
        self._widths: list[int] = []

    @property
    def columns(self) -> int:
        """How wide a line may be: one less than there are, as terminals differ in the last one."""
        return max(self._console.width - 1, 1)

    def begin(self) -> None:
        """Hide the cursor."""
        self._write(HIDE_CURSOR)

    def end(self) -> None:
        """Remove the foot, and show the cursor."""
        self.draw([], [])
        self._write(SHOW_CURSOR)

    def draw(self, staying: Sequence[Text], foot: Sequence[Text]) -> None:
        """Write lines that stay above the foot, and replace the foot.

        Of a foot that is higher than the terminal, the end is shown.
        """
        shown = list(foot)[-max(self._console.height - 1, 1) :]
        lines = [self._styled(line) for line in shown]
        if not staying and lines == self._foot:
            return
        picture = [self._to_top()]
        picture += [f"{self._styled(line)}{ERASE_LINE}\r\n" for line in staying]
        picture.append("\r\n".join(f"{line}{ERASE_LINE}" for line in lines))
        picture.append(ERASE_BELOW)
        self._foot, self._widths = lines, [cell_len(line.plain) for line in shown]
        self._write(f"{BEGIN_PICTURE}{''.join(picture)}{END_PICTURE}")

    def _to_top(self) -> str:
        """Back to the first row of the foot, also where a narrower terminal has wrapped it."""
        columns = max(self._console.width, 1)
        rows = sum(max(-(-width // columns), 1) for width in self._widths)
        return f"\r\x1b[{rows - 1}A" if rows > 1 else "\r"

    def _styled(self, line: Text) -> str:
        """A line with its styles as the terminal shows them."""
        with self._console.capture() as captured:
            self._console.print(line, end="", soft_wrap=True, highlight=False)
        return captured.get()

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()
