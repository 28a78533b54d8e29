"""Shows a reference and a transcript together, with the words that differ marked.

Two forms: as running text in colour, clip by clip (:class:`ComparisonSink`), and aligned in columns
as NIST's ``sclite`` prints them (:func:`aligned_lines`), which needs no colour:

    said   the quick ***** brown fox
    heard  the brick early brown ***
               S     I           D
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from quest22.evaluation.normalise import basic
from quest22.evaluation.reports import ScoredClip
from quest22.evaluation.texts import Unit, pair_of
from quest22.evaluation.word_diff import DiffSpan, Kind, align_words
from quest22.protocols import SinkState
from quest22.records import Failure, Transcript
from quest22.settings.languages import language_name

MARKS: dict[Kind, str] = {"equal": "", "substitute": "S", "delete": "D", "insert": "I"}
STYLES: dict[Kind, str] = {
    "equal": "dim",
    "substitute": "bold red",
    "delete": "bold yellow",
    "insert": "bold magenta",
}
LABELS = ("  said  ", "  heard ", "        ")
ALIGNED_CONTEXT_WORDS = 4
RUNNING_CONTEXT_WORDS = 5
"""Words that stay at each end of a long run of equal words."""

LONG_TEXT_WORDS = 40
MIN_WIDTH = 40


class ComparisonSink:
    """Prints each transcript with its reference, clip by clip."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, result: Transcript | Failure) -> None:
        if not isinstance(result, Transcript):
            return
        self._console.print(heading(result))
        for label, text in comparison(result):
            self._console.print(self._line(label, text))

    def publish(self) -> SinkState:
        return {}  # a display has no state to resume

    def close(self) -> None:
        """Does nothing: nothing is buffered."""

    def _line(self, label: str, text: Text) -> RenderableType:
        """On a terminal the text wraps beside its label; in a pipe it stays on one line."""
        if not self._console.is_terminal:
            return Text(f"  {label:6}").append(text)
        line = Table.grid(padding=(0, 1))
        line.add_column(width=7, style="dim", no_wrap=True)
        line.add_column()
        line.add_row(f"  {label}", text)
        return line


def heading(transcript: Transcript) -> Text:
    """A mark, the clip's name, its language and duration, and the number of errors."""
    text = Text(transcript.name, style="bold")
    if transcript.language:
        text.append(f" · {language_name(transcript.language).title()}", style="not bold cyan")
    text.append(f" · {transcript.duration_s:.1f} s", style="not bold dim")
    pair = pair_of(transcript)
    if pair is None:
        return Text("• ").append(text)
    clip = ScoredClip.of(pair)
    wrong, unit = clip.errors.errors, clip.texts.unit
    if not wrong:
        return Text("✓ ", style="bold green").append(text)
    errors = "1 error" if wrong == 1 else f"{wrong} errors"
    text.append(f" · {errors} in {clip.errors.total} {unit}s", style="not bold red")
    return Text("✗ ", style="bold red").append(text)


def comparison(transcript: Transcript) -> list[tuple[str, Text]]:
    """Reference and transcript with a label each; the transcript alone if there is no reference."""
    pair = pair_of(transcript)
    if pair is None:
        return [("heard", Text(transcript.text.strip()))]
    unit = ScoredClip.of(pair).texts.unit
    spans = shorten_equal_runs(compare(pair.reference, pair.hypothesis, unit))
    reference, hypothesis = coloured(spans, " " if unit == "word" else "")
    return [
        ("said", reference),
        ("heard", hypothesis if hypothesis.plain else Text("(nothing)", "red")),
    ]


def compare(reference: str, hypothesis: str, unit: Unit = "word") -> list[DiffSpan]:
    """Align two texts word by word; words that differ only in case or punctuation are equal.

    Words keep their spelling; those made of punctuation alone are left out. Texts without spaces
    are aligned character by character.
    """
    expected, actual = dict(_comparable(reference, unit)), dict(_comparable(hypothesis, unit))
    reference_words, hypothesis_words = iter(expected.values()), iter(actual.values())
    aligned = align_words([key for _, key in expected], [key for _, key in actual])
    return [
        DiffSpan(
            span.kind,
            tuple(islice(reference_words, len(span.reference))),
            tuple(islice(hypothesis_words, len(span.hypothesis))),
        )
        for span in aligned
    ]


def _comparable(text: str, unit: Unit) -> Iterator[tuple[tuple[int, str], str]]:
    """``((index, normalised word), word)``; the index keeps repeated words apart."""
    words = text.split() if unit == "word" else list("".join(text.split()))
    for index, word in enumerate(words):
        key = basic(word).replace(" ", "")
        if key:
            yield (index, key), word


def shorten_equal_runs(spans: list[DiffSpan]) -> list[DiffSpan]:
    """The same spans with long runs of equal words cut in the middle, if the text is long."""
    if sum(len(span.hypothesis) for span in spans) <= LONG_TEXT_WORDS:
        return spans
    return [
        DiffSpan(
            "equal",
            _ends(span.reference, RUNNING_CONTEXT_WORDS, "… {} words …"),
            _ends(span.hypothesis, RUNNING_CONTEXT_WORDS, "… {} words …"),
        )
        if span.kind == "equal"
        else span
        for span in spans
    ]


def _ends(words: tuple[str, ...], context: int, mark: str) -> tuple[str, ...]:
    """The first and last words; ``mark`` between them says how many are left out."""
    omitted = len(words) - 2 * context
    if omitted < context:
        return words
    return (*words[:context], mark.format(omitted), *words[-context:])


def coloured(spans: Sequence[DiffSpan], space: str = " ") -> tuple[Text, Text]:
    """Reference and hypothesis as running text; words that differ have the colour of their kind."""
    reference, hypothesis = Text(), Text()
    for span in spans:
        _append(reference, span.reference, STYLES[span.kind], space)
        style = "" if span.kind == "equal" else STYLES[span.kind]
        _append(hypothesis, span.hypothesis, style, space)
    return reference, hypothesis


def _append(line: Text, words: tuple[str, ...], style: str, space: str) -> None:
    for word in words:
        line.append(space if line.plain else "").append(word, style=style or None)


@dataclass(frozen=True, slots=True)
class _Column:
    kind: Kind
    reference: str
    hypothesis: str

    @property
    def width(self) -> int:
        return max(_cells(self.reference), _cells(self.hypothesis), 1)

    def rows(self) -> tuple[str, str, str]:
        """Reference, hypothesis and mark, padded to one width; asterisks for a missing word."""
        words = (word or "*" * self.width for word in (self.reference, self.hypothesis))
        reference, hypothesis, mark = (_padded(s, self.width) for s in (*words, MARKS[self.kind]))
        return reference, hypothesis, mark


def aligned_lines(spans: Sequence[DiffSpan], width: int) -> Iterator[Text]:
    """Lines of at most ``width`` cells, three for each row of words; cuts long equal runs."""
    available = max(width, MIN_WIDTH) - len(LABELS[0])
    for columns in _wrapped(_columns(spans), available):
        lines = [Text(label, "dim") for label in LABELS]
        for column in columns:
            for line, cell in zip(lines, column.rows(), strict=True):
                line.append(" ").append(cell, STYLES[column.kind])
        for line in lines:
            line.rstrip()
        yield from (line for line in lines if line.plain.strip())


def _columns(spans: Sequence[DiffSpan]) -> Iterator[_Column]:
    for span in spans:
        reference, hypothesis = span.reference, span.hypothesis
        if span.kind == "equal":
            reference = _ends(reference, ALIGNED_CONTEXT_WORDS, "[… {:,} words …]")
            hypothesis = reference
        for words in zip_longest(reference, hypothesis, fillvalue=""):
            yield _Column(span.kind, *words)


def _wrapped(columns: Iterator[_Column], available: int) -> Iterator[list[_Column]]:
    """Columns in rows of at most ``width`` cells."""
    row: list[_Column] = []
    filled = 0
    for column in columns:
        if row and filled + column.width + 1 > available:
            yield row
            row, filled = [], 0
        row.append(column)
        filled += column.width + 1
    if row:
        yield row


def _padded(word: str, width: int) -> str:
    return word + " " * (width - _cells(word))


def _cells(word: str) -> int:
    """Terminal cells of a word: two for a wide East Asian letter, none for a combining mark."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in word
    )
