"""Words of two texts below one another, with a mark below each that differs.

    said   the quick ***** brown fox
    heard  the brick early brown ***
               S     I           D

As NIST's ``sclite`` prints alignments. Colours add to it on a terminal; in a pipe nothing is lost.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.text import Text

from quest22.evaluation.word_diff import DiffSpan, Kind

MARKS: dict[Kind, str] = {"equal": "", "substitute": "S", "delete": "D", "insert": "I"}
STYLES: dict[Kind, str] = {
    "equal": "dim",
    "substitute": "bold red",
    "delete": "bold yellow",
    "insert": "bold magenta",
}
LABELS = ("  said  ", "  heard ", "        ")
KEPT_WORDS = 4
SHORTEST_WIDTH = 40


@dataclass(frozen=True, slots=True)
class _Column:
    kind: Kind
    said: str
    heard: str

    @property
    def width(self) -> int:
        return max(_width(self.said), _width(self.heard), 1)

    def cells(self) -> tuple[str, str, str]:
        """Said, heard and the mark, all of one width; stars stand where there is no word."""
        said, heard = (word or "*" * self.width for word in (self.said, self.heard))
        return _padded(said, self.width), _padded(heard, self.width), _mark(self)


def aligned_lines(stretches: Sequence[DiffSpan], width: int) -> Iterator[Text]:
    """Lines of at most ``width`` cells, three for each row of words; long agreement is cut."""
    room = max(width, SHORTEST_WIDTH) - len(LABELS[0])
    for row in _rows(_columns(stretches), room):
        lines = [Text(label, "dim") for label in LABELS]
        for column in row:
            for line, cell in zip(lines, column.cells(), strict=True):
                line.append(" ").append(cell, STYLES[column.kind])
        for line in lines:
            line.rstrip()
        yield from (line for line in lines if line.plain.strip())


def _columns(stretches: Sequence[DiffSpan]) -> Iterator[_Column]:
    for stretch in stretches:
        said = _cut(stretch.said) if stretch.kind == "equal" else stretch.said
        heard = said if stretch.kind == "equal" else stretch.heard
        for pair in zip_longest(said, heard, fillvalue=""):
            yield _Column(stretch.kind, *pair)


def _cut(words: tuple[str, ...]) -> tuple[str, ...]:
    """Of a long run of equal words its ends, and how many lie between."""
    between = len(words) - 2 * KEPT_WORDS
    if between < KEPT_WORDS:
        return words
    return (*words[:KEPT_WORDS], f"[… {between:,} words …]", *words[-KEPT_WORDS:])


def _rows(columns: Iterator[_Column], room: int) -> Iterator[list[_Column]]:
    row: list[_Column] = []
    filled = 0
    for column in columns:
        if row and filled + column.width + 1 > room:
            yield row
            row, filled = [], 0
        row.append(column)
        filled += column.width + 1
    if row:
        yield row


def _mark(column: _Column) -> str:
    return _padded(MARKS[column.kind], column.width)


def _padded(word: str, width: int) -> str:
    return word + " " * (width - _width(word))


def _width(word: str) -> int:
    """Cells of a terminal that a word takes: letters of East Asia two, combining marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in word
    )
