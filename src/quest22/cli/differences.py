"""Two texts side by side, the words in which they differ marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from rich.text import Text

from quest22.score import normalize_text

Kind = Literal["equal", "substitute", "delete", "insert"]

STYLES: dict[Kind, str] = {
    "equal": "",
    "substitute": "bold red",
    "delete": "bold yellow",
    "insert": "bold magenta",
}

LONG_TEXT_WORDS = 40
KEPT_WORDS = 5


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring words of one kind, from the reference and from what was heard."""

    kind: Kind
    said: tuple[str, ...]
    heard: tuple[str, ...]


def compare(reference: str, text: str) -> list[Stretch]:
    """Align two texts word by word; words that differ in case or punctuation are equal.

    Words keep their spelling; those that are punctuation alone are left out.
    """
    said, heard = dict(_keyed(reference)), dict(_keyed(text))
    if not said or not heard:
        kind: Kind = "insert" if heard else "delete"
        return [Stretch(kind, tuple(said.values()), tuple(heard.values()))] if said or heard else []
    import jiwer

    found = jiwer.process_words(" ".join(key for _, key in said), " ".join(key for _, key in heard))
    originals, words = list(said.values()), list(heard.values())
    return [
        Stretch(
            cast("Kind", chunk.type),
            tuple(originals[chunk.ref_start_idx : chunk.ref_end_idx]),
            tuple(words[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in found.alignments[0]
    ]


def _keyed(text: str) -> Iterator[tuple[tuple[int, str], str]]:
    """Each word with what it is compared by, numbered so that none is lost."""
    for index, word in enumerate(text.split()):
        key = normalize_text(word).replace(" ", "")
        if key:
            yield (index, key), word


def shortened(stretches: list[Stretch]) -> list[Stretch]:
    """The same with long runs of equal words cut in the middle, where the text is long."""
    if sum(len(stretch.heard) for stretch in stretches) <= LONG_TEXT_WORDS:
        return stretches
    return [
        Stretch("equal", _ends(stretch.said), _ends(stretch.heard))
        if stretch.kind == "equal"
        else stretch
        for stretch in stretches
    ]


def _ends(words: tuple[str, ...]) -> tuple[str, ...]:
    cut = len(words) - 2 * KEPT_WORDS
    if cut < KEPT_WORDS:
        return words
    return (*words[:KEPT_WORDS], f"… {cut} words …", *words[-KEPT_WORDS:])


def marked(stretches: list[Stretch]) -> tuple[Text, Text]:
    """The reference and what was heard, differing words in colour."""
    said, heard = Text(), Text()
    for stretch in stretches:
        _append(said, stretch.said, STYLES[stretch.kind] or "dim")
        _append(heard, stretch.heard, STYLES[stretch.kind])
    return said, heard


def _append(line: Text, words: tuple[str, ...], style: str) -> None:
    for word in words:
        line.append(" " if line.plain else "").append(word, style=style or None)
