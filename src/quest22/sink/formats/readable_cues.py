"""Splits segments into cues that a viewer can read: short, in two lines at most, one at a time.

A segment that is too long is split where the sum of the costs of its cues is least (dynamic
programming, as Knuth and Plass break paragraphs into lines): few cues, alike in length, that end
with sentences and clauses. Knows no file format.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from quest22.records import Segment, Word
from quest22.sink.formats.line_breaks import break_cost, may_break, unbroken, width

MAX_CUE_S = 7.0
MIN_CUE_S = 0.8
"""A shorter cue stays for so long where nothing follows."""

_CUE_COST = 2.0
_FILL_COST = 1.5
_SHORT_COST = 3.0
_UNEVEN_LINES_COST = 2.0
_EXACT_S = 1e-6
"""Below the precision of times: a cue of 7 s is not longer than 7 s."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A text and the time it is on the screen, in seconds."""

    start_s: float
    end_s: float
    text: str


def readable_cues(segments: Iterable[Segment], length: int, duration_s: float) -> list[Cue]:
    """The text of segments in cues of at most ``length`` characters, in order and apart.

    A longer word is a cue of its own. ``duration_s`` is the length of the recording.
    """
    split = [cue for segment in segments for cue in _split(segment, length)]
    return _as_long_as_needed(_apart(split), duration_s)


def _split(segment: Segment, length: int) -> Iterator[Cue]:
    passage = _Passage(_pieces(segment, max(length // 2, 1)), length)
    for first, end in passage.cues():
        start_s, end_s = passage.pieces[first].start_s, passage.pieces[end - 1].end_s
        yield Cue(start_s, max(start_s, end_s), passage.laid_out(first, end))


class _Passage:
    """The pieces of a segment, and the cost of any run of them, ``first`` to before ``end``."""

    def __init__(self, pieces: Sequence[Cue], length: int) -> None:
        self.pieces = pieces
        self._length = length
        self._line = max(length // 2, 1)
        self._ends = list(accumulate((width(piece.text) for piece in pieces), initial=0))

    def cues(self) -> list[tuple[int, int]]:
        """The runs of pieces that become cues; one if all fit in it."""
        count = len(self.pieces)
        if count and self._fits(0, count):
            return [(0, count)]
        costs, firsts = [0.0], [0]
        for end in range(1, count + 1):
            cost, first = min(self._ending(end, costs))
            costs.append(cost)
            firsts.append(first)
        runs = []
        while count:
            runs.append((firsts[count], count))
            count = firsts[count]
        return runs[::-1]

    def laid_out(self, first: int, end: int) -> str:
        """The text of a cue in one line or two."""
        below = self._second_line(first, end)
        lines = (self._text(first, below), self._text(below, end))
        return "\n".join(lines).strip()

    def _ending(self, end: int, costs: Sequence[float]) -> Iterator[tuple[float, int]]:
        """The cost of the passage up to ``end`` for each beginning of its last cue."""
        for first in range(end - 1, -1, -1):
            if not self._fits(first, end):
                return
            yield costs[first] + self._cost(first, end), first

    def _fits(self, first: int, end: int) -> bool:
        if end - first == 1:
            return True
        if self._width(first, end) > self._length or self._seconds(first, end) > MAX_CUE_S:
            return False
        full = self._ends[first] + self._space(first) + self._line
        below = bisect_right(self._ends, full) - 1  # where a full first line ends
        return below >= end or (below > first and self._width(below, end) <= self._line)

    def _cost(self, first: int, end: int) -> float:
        fill = max(self._width(first, end) / self._length, self._seconds(first, end) / MAX_CUE_S)
        cost = _CUE_COST + _FILL_COST * fill**2
        if end < len(self.pieces):
            shown_s = self.pieces[end].start_s - self.pieces[first].start_s
            cost += self._break_cost(end)
        else:
            shown_s = self._seconds(first, end)
        return cost + _SHORT_COST * max(0.0, 1 - shown_s / MIN_CUE_S)

    def _second_line(self, first: int, end: int) -> int:
        """Where the second line of a cue begins; ``end`` if one is enough."""
        if self._width(first, end) <= self._line or end - first == 1:
            return end
        places = range(first + 1, end)
        return min((self._lines_cost(first, below, end), below) for below in places)[1]

    def _lines_cost(self, first: int, below: int, end: int) -> tuple[bool, float]:
        upper, lower = self._width(first, below), self._width(below, end)
        uneven = abs(upper - lower) / self._line
        cost = _UNEVEN_LINES_COST * uneven + self._break_cost(below)
        return max(upper, lower) > self._line, cost

    def _break_cost(self, place: int) -> float:
        return break_cost(self.pieces[place - 1].text, self.pieces[place].text)

    def _width(self, first: int, end: int) -> int:
        return self._ends[end] - self._ends[first] - self._space(first)

    def _space(self, first: int) -> int:
        return self.pieces[first].text.startswith(" ")

    def _seconds(self, first: int, end: int) -> float:
        return self.pieces[end - 1].end_s - self.pieces[first].start_s - _EXACT_S

    def _text(self, first: int, end: int) -> str:
        return "".join(piece.text for piece in self.pieces[first:end]).strip()


def _pieces(segment: Segment, line: int) -> list[Cue]:
    """A segment's text in pieces that stay together, with times; all spaces in front of them."""
    pieces: list[Cue] = []
    for word in _words(segment):
        for part in _parts(word, line):
            if pieces and not may_break(pieces[-1].text, part.text):
                text = pieces[-1].text + part.text
                pieces[-1] = Cue(pieces[-1].start_s, part.end_s, text)
            else:
                pieces.append(part)
    texts = ["", *(piece.text for piece in pieces)]
    spaced = (before[-1:].isspace() or after[:1].isspace() for before, after in pairwise(texts))
    return [
        replace(piece, text=" " * space + piece.text.strip())
        for piece, space in zip(pieces, spaced, strict=True)
        if piece.text.strip()
    ]


def _words(segment: Segment) -> Sequence[Word]:
    """The words of a segment; without words that hold its text, all of it as one."""
    words = segment.words or ()
    spoken = "".join(word.text for word in words)
    if "".join(spoken.split()) == "".join(segment.text.split()):
        return words
    return (Word(segment.start_s, segment.end_s, segment.text, 0.0),)


def _parts(word: Word, line: int) -> Iterator[Cue]:
    """A word, or its pieces if it exceeds a line, with times in proportion to their widths."""
    if width(word.text.strip()) <= line:
        yield Cue(word.start_s, word.end_s, word.text)
        return
    texts = unbroken(word.text)
    ends = list(accumulate(map(width, texts), initial=0))
    times = [word.start_s + (word.end_s - word.start_s) * end / ends[-1] for end in ends]
    for (start_s, end_s), text in zip(pairwise(times), texts, strict=True):
        yield Cue(start_s, end_s, text)


def _apart(cues: Iterable[Cue]) -> list[Cue]:
    """Cues of which none begins before the last one ends."""
    apart: list[Cue] = []
    for cue in cues:
        start_s = cue.start_s
        if apart and start_s < apart[-1].end_s:
            last = apart[-1]
            start_s = max(start_s, min(last.start_s + MIN_CUE_S, last.end_s))
            apart[-1] = replace(last, end_s=start_s)
        apart.append(Cue(start_s, max(start_s, cue.end_s), cue.text))
    return apart


def _as_long_as_needed(cues: Sequence[Cue], duration_s: float) -> list[Cue]:
    """The cues, with too short ones extended where there is time, and too long ones cut."""
    starts = [*(cue.start_s for cue in cues), duration_s]
    return [
        replace(cue, end_s=_end_s(cue, next_s))
        for cue, next_s in zip(cues, starts[1:], strict=True)
    ]


def _end_s(cue: Cue, next_s: float) -> float:
    extended_s = max(cue.end_s, min(cue.start_s + MIN_CUE_S, next_s))
    return min(extended_s, cue.start_s + MAX_CUE_S)
