"""Formats words as Deepgram does: in lower case without punctuation, and as punctuated."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Protocol

from quest22.server.deepgram.parameters import Formatting

KEPT_MARKS = "%&#@"
"""Symbols that are read aloud, so they are part of a word."""

DECIMALS = 3
OTHER_CODES = {"jw": "jv"}
"""Whisper's language code → BCP 47 tag, where they differ."""


class TimedWord(Protocol):
    """A word of a recording or of a live session; times in seconds."""

    @property
    def text(self) -> str:
        """With its leading space, if any, and the punctuation around it."""
        ...

    @property
    def start_s(self) -> float: ...

    @property
    def end_s(self) -> float: ...

    @property
    def probability(self) -> float: ...


@dataclass(frozen=True, slots=True)
class WrittenWord:
    """``bare`` is in lower case without punctuation; ``text`` is as the model wrote it."""

    bare: str
    text: str
    start_s: float
    end_s: float
    probability: float

    def fields(self, formatting: Formatting, language: str | None) -> dict[str, Any]:
        """The word in Deepgram's JSON."""
        found: dict[str, Any] = {
            "word": self.bare,
            "start": round(self.start_s, DECIMALS),
            "end": round(self.end_s, DECIMALS),
            "confidence": round(self.probability, 4),
        }
        if formatting.punctuated:
            found["punctuated_word"] = self.text.strip()
        if formatting.tells_language and language:
            found["language"] = language
        return found


def written(words: Iterable[TimedWord], earliest_s: float = 0.0) -> list[WrittenWord]:
    """Merge punctuation and continuations (``-four`` after ``twenty``) into the word before them.

    No word begins before ``earliest_s``.
    """
    found: list[WrittenWord] = []
    for word in words:
        start_s = max(word.start_s, earliest_s)
        end_s = max(word.end_s, start_s)
        if found and continues(word):
            last = found.pop()
            text, least = last.text + word.text, min(last.probability, word.probability)
            found.append(WrittenWord(_bare(text), text, last.start_s, end_s, least))
        elif bare := _bare(word.text):
            found.append(WrittenWord(bare, word.text, start_s, end_s, word.probability))
        elif found:
            found[-1] = replace(found[-1], text=found[-1].text + word.text)
    return found


def continues(word: TimedWord) -> bool:
    """Whether it is the rest of a hyphenated word."""
    return word.text.startswith("-")


def transcript(words: Sequence[WrittenWord], formatting: Formatting) -> str:
    """The words as one line of text."""
    if formatting.punctuated:
        return "".join(word.text for word in words).strip()
    spaced = ((" " if word.text[:1].isspace() else "") + word.bare for word in words)
    return "".join(spaced).strip()


def alternative(
    words: Sequence[WrittenWord], formatting: Formatting, language: str | None
) -> dict[str, Any]:
    """The only element of ``alternatives``."""
    tag = language_tag(language)
    found: dict[str, Any] = {
        "transcript": transcript(words, formatting),
        "confidence": confidence(words),
    }
    if formatting.tells_language:
        found["languages"] = [tag] if tag and words else []
    found["words"] = [word.fields(formatting, tag) for word in words]
    return found


def confidence(words: Sequence[WrittenWord]) -> float:
    """The mean probability of the words; 0 if there are none."""
    return round(fmean(word.probability for word in words), 4) if words else 0.0


def language_tag(code: str | None) -> str | None:
    """The tag for one of Whisper's language codes."""
    return code and OTHER_CODES.get(code, code)


def _bare(text: str) -> str:
    """In lower case, without surrounding punctuation."""
    first, last = 0, len(text)
    while first < last and _is_mark(text[first]):
        first += 1
    while first < last and _is_mark(text[last - 1]):
        last -= 1
    return text[first:last].lower()


def _is_mark(letter: str) -> bool:
    if letter in KEPT_MARKS:
        return False
    return letter.isspace() or unicodedata.category(letter).startswith("P")
