"""Reads the word lists of ``lexicon.txt`` into declined nouns, adjectives and plain pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from recipes.nano.grammar.russian import Cases, decline

LEXICON = Path(__file__).with_name("lexicon.txt")
VOWEL_LETTERS = "aeiou"
LONG_U = ("university", "uniform", "useful", "unit", "euro")


@dataclass(frozen=True, slots=True)
class Noun:
    """An English noun beside its declined Russian translation."""

    en: str
    en_many: str
    ru: Cases
    gender: str
    animate: bool
    on: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A word or phrase that is the same wherever it stands."""

    en: str
    ru: str


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All groups of the word lists by name."""

    nouns: dict[str, tuple[Noun, ...]]
    pairs: dict[str, tuple[Pair, ...]]


@cache
def lexicon() -> Lexicon:
    """The word lists, read once."""
    nouns: dict[str, tuple[Noun, ...]] = {}
    pairs: dict[str, tuple[Pair, ...]] = {}
    for name, entries in _groups(LEXICON.read_text(encoding="utf-8")):
        fields = [entry.split() for entry in entries]
        if len(fields[0]) > 2:
            nouns[name] = tuple(_noun(field) for field in fields)
        else:
            pairs[name] = tuple(Pair(_spaced(en), _spaced(ru)) for en, ru in fields)
    return Lexicon(nouns, pairs)


def article(phrase: str) -> str:
    """``phrase`` with "a" or "an" before it."""
    vowel = phrase[0].lower() in VOWEL_LETTERS and not phrase.startswith(LONG_U)
    return f"{'an' if vowel else 'a'} {phrase}"


def english_plural(noun: str) -> str:
    """The regular plural of an English noun."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in VOWEL_LETTERS:
        return noun[:-1] + "ies"
    return noun + "s"


def _groups(text: str) -> list[tuple[str, list[str]]]:
    groups: list[tuple[str, list[str]]] = []
    for raw in text.splitlines():
        line = raw.split("#")[0].strip()
        if line.startswith("["):
            groups.append((line.strip("[]"), []))
        elif line:
            groups[-1][1].extend(part.strip() for part in line.split(";") if part.strip())
    return groups


def _noun(fields: list[str]) -> Noun:
    en, ru, kind, *rest = fields
    marks = dict(mark.split("=") for mark in rest if "=" in mark)
    marks = {key: _spaced(value) for key, value in marks.items()}
    gender, animate = kind[0], "+" in kind
    cases = decline(_spaced(ru), "0" if "0" in kind else gender, animate, marks)
    many = marks.get("en", english_plural(_spaced(en)))
    return Noun(_spaced(en), many, cases, gender, animate, on="on" in rest)


def _spaced(word: str) -> str:
    return word.replace("_", " ")
