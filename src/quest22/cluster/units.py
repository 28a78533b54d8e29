"""Divides data files into units of work.

A unit is some consecutive rows of one data file, or all of it. It is named by its number, which
depends on the files alone. Only where rows lie travels between machines, never their sound.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from quest22.source.row_blocks import RowBlock

MAX_UNITS = 9_999_999
"""Numbers have seven digits."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Rows ``start`` to before ``stop`` of data file number ``part``; None: up to its end."""

    number: int
    part: int
    start: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A data file, by the name that origins have: its units' first rows, and how many rows it has.

    A file that is read as a whole has one unit and may have any number of rows (None).
    """

    name: str | None
    starts: tuple[int, ...] = (0,)
    rows: int | None = None


@dataclass(frozen=True)
class Units:
    """All units, in the order of the files and their rows."""

    files: tuple[PlannedFile, ...]

    @cached_property
    def _first(self) -> list[int]:
        """The number of each file's first unit."""
        return list(accumulate((len(file.starts) for file in self.files), initial=0))

    def __len__(self) -> int:
        return self._first[-1]

    def __getitem__(self, number: int) -> Unit:
        if not 0 <= number < len(self):
            raise IndexError(number)
        part = bisect_right(self._first, number) - 1
        file, at = self.files[part], number - self._first[part]
        stop = file.starts[at + 1] if at + 1 < len(file.starts) else file.rows
        return Unit(number, part, file.starts[at], stop)


def divide(name: str | None, blocks: Iterable[RowBlock] | None, unit_s: float) -> PlannedFile:
    """Divide a file into units of about ``unit_s`` seconds of sound.

    Blocks stay whole, except those of two units and more, which are divided evenly by rows.
    """
    if blocks is None:
        return PlannedFile(name)
    starts: list[int] = []
    row, collected_s = 0, 0.0
    for block in blocks:
        if not block.rows:
            continue
        if not starts or collected_s + block.audio_s / 2 >= unit_s:
            starts.append(row)
            collected_s = 0.0
        pieces = max(1, min(int(block.audio_s / unit_s), block.rows))
        starts += [row + block.rows * each // pieces for each in range(1, pieces)]
        collected_s += block.audio_s / pieces
        row += block.rows
    return PlannedFile(name, tuple(starts), row)
