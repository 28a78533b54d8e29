"""A terminal that remembers what it shows: as much of one as live captions use."""

from __future__ import annotations

import re

from rich.cells import cell_len

_PART = re.compile(r"\x1b\[(\??)(\d*)(?:;\d+)*([A-Za-z])|([\r\n])|([^\x1b\r\n]+)", re.DOTALL)


class Terminal:
    """Rows of cells with their styles; raises for a sequence that it does not know.

    ``lines`` is all that was written, what scrolled out of sight included.
    """

    def __init__(self, columns: int = 60, rows: int = 12) -> None:
        self.columns, self.rows = columns, rows
        self.cells: list[list[tuple[str, str]]] = [[]]
        self.row = self.column = 0
        self.style = ""
        self.cursor_shown = True

    def write(self, text: str) -> int:
        at = 0
        for part in _PART.finditer(text):
            assert part.start() == at, f"unknown: {text[at : part.start()]!r}"
            at = part.end()
            private, number, command, control, plain = part.groups()
            if plain:
                self._put(plain)
            elif control:
                self._control(control)
            else:
                self._command(private, number, command)
        assert at == len(text), f"unknown: {text[at:]!r}"
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        return ["".join(cell for cell, _ in row).rstrip() for row in self.cells]

    def styles_of(self, text: str) -> set[str]:
        """The styles in which a text is shown somewhere."""
        found = set()
        for row in self.cells:
            line = "".join(cell for cell, _ in row)
            at = line.find(text)
            if at >= 0:
                found.add(row[at][1])
        return found

    def _put(self, text: str) -> None:
        row = self.cells[self.row]
        for each in text:
            if self.column + cell_len(each) > self.columns:
                self._control("\n")
                self.column = 0
                row = self.cells[self.row]
            row.extend([(" ", "")] * (self.column - len(row)))
            cells = [(each, self.style)] + [("", self.style)] * (cell_len(each) - 1)
            row[self.column : self.column + len(cells)] = cells
            self.column += len(cells)

    def _control(self, control: str) -> None:
        if control == "\r":
            self.column = 0
            return
        self.row += 1
        if self.row == len(self.cells):
            self.cells.append([])

    def _command(self, private: str, number: str, command: str) -> None:
        if private:
            assert (number, command) in {("25", "l"), ("25", "h"), ("2026", "h"), ("2026", "l")}
            if number == "25":
                self.cursor_shown = command == "h"
        elif command == "m":
            self.style = "" if number == "0" else number
        elif command == "A":
            self.row -= int(number or 1)
            assert self.row >= max(len(self.cells) - self.rows, 0), "above the screen"
        elif command == "K":
            del self.cells[self.row][self.column :]
        elif command == "J":
            del self.cells[self.row][self.column :]
            del self.cells[self.row + 1 :]
        else:
            raise AssertionError(f"unknown command {command}")
