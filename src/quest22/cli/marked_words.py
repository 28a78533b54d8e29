"""Two texts side by side, the words in which they differ marked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from rich.text import Text

from quest22.evaluation.normalise import basic
from quest22.evaluation.word_diff import DiffSpan, Kind, align

STYLES: dict[Kind, str] = {
    "equal": "",
    "substitute": "bold red",
    "delete": "bold yellow",
    "insert": "bold magenta",
}

LONG_TEXT_WORDS = 40
KEPT_WORDS = 5


def compare(reference: str, text: str) -> list[DiffSpan]:
    """Align two texts word by word; words that differ in case or punctuation are equal.

    Words keep their spelling; those that are punctuation alone are left out.
    """
    said, heard = dict(_keyed(reference)), dict(_keyed(text))
    originals, words = iter(said.values()), iter(heard.values())
    aligned = align([key for _, key in said], [key for _, key in heard])
    return [
        DiffSpan(
            stretch.kind,
            tuple(islice(originals, len(stretch.said))),
            tuple(islice(words, len(stretch.heard))),
        )
        for stretch in aligned
    ]


def _keyed(text: str) -> Iterator[tuple[tuple[int, str], str]]:
    """Each word with what it is compared by, numbered so that none is lost."""
    for index, word in enumerate(text.split()):
        key = basic(word).replace(" ", "")
        if key:
            yield (index, key), word


def shortened(stretches: list[DiffSpan]) -> list[DiffSpan]:
    """The same with long runs of equal words cut in the middle, where the text is long."""
    if sum(len(stretch.heard) for stretch in stretches) <= LONG_TEXT_WORDS:
        return stretches
    return [
        DiffSpan("equal", _ends(stretch.said), _ends(stretch.heard))
        if stretch.kind == "equal"
        else stretch
        for stretch in stretches
    ]


def _ends(words: tuple[str, ...]) -> tuple[str, ...]:
    cut = len(words) - 2 * KEPT_WORDS
    if cut < KEPT_WORDS:
        return words
    return (*words[:KEPT_WORDS], f"… {cut} words …", *words[-KEPT_WORDS:])


def marked(stretches: list[DiffSpan]) -> tuple[Text, Text]:
    """The reference and what was heard, differing words in colour."""
    said, heard = Text(), Text()
    for stretch in stretches:
        _append(said, stretch.said, STYLES[stretch.kind] or "dim")
        _append(heard, stretch.heard, STYLES[stretch.kind])
    return said, heard


def _append(line: Text, words: tuple[str, ...], style: str) -> None:
    for word in words:
        line.append(" " if line.plain else "").append(word, style=style or None)
