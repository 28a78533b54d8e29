"""Parallel English and Russian sentences from templates: pure, seeded, and split by hash.

A sentence is held out by the hash of its own text, so that no change of seed, order or size of
the training set can leak it into training.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from recipes.nano.grammar.slots import Filler, fill

TEMPLATES = Path(__file__).with_name("templates.txt")
HELD_OUT_SHARE = 0.06


@dataclass(frozen=True, slots=True)
class Template:
    """One pattern in both languages and the groups that fill its slots."""

    en: str
    ru: str
    slots: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence in both languages; ``template`` is the index of its pattern."""

    en: str
    ru: str
    template: int


@cache
def templates() -> tuple[Template, ...]:
    """All templates in the order of their file."""
    lines = TEMPLATES.read_text(encoding="utf-8").splitlines()
    return tuple(_parse(line) for line in lines if line and not line.startswith("#"))


def training_sentences(seed: int, language: str) -> Iterator[Sentence]:
    """An endless, repeatable stream of sentences whose ``language`` side is not held out."""
    rng = random.Random(seed)
    while True:
        for index in range(len(templates())):
            sentence = compose(index, rng)
            if _is_phrase(index) or not held_out(getattr(sentence, language)):
                yield sentence


def held_out_sentences(seed: int, language: str) -> Iterator[Sentence]:
    """A repeatable stream of distinct sentences whose ``language`` side no training ever sees."""
    rng = random.Random(seed)
    seen: set[str] = set()
    indices = [index for index in range(len(templates())) if not _is_phrase(index)]
    while True:
        sentence = compose(rng.choice(indices), rng)
        text = getattr(sentence, language)
        if held_out(text) and text not in seen:
            seen.add(text)
            yield sentence


def _is_phrase(index: int) -> bool:
    """Whether the template is a list of fixed phrases: their words occur nowhere else."""
    return templates()[index].slots[0][1] == "phrase"


def compose(index: int, rng: random.Random) -> Sentence:
    """Fill template number ``index`` at random."""
    template = templates()[index]
    filled: dict[str, Filler] = {}
    for name, group in template.slots:
        filled[name] = _other_than(filled, group, rng)
    en, ru = (text.format(**filled) for text in (template.en, template.ru))
    return Sentence(_capital(en), _capital(ru), index)


def held_out(text: str) -> bool:
    """Whether a sentence (in either language) is kept for evaluation."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT_SHARE * 2**32


def _other_than(filled: dict[str, Filler], group: str, rng: random.Random) -> Filler:
    """A filler unlike those already chosen, so that nobody writes to himself."""
    used = {filler.en for filler in filled.values()}
    for _ in range(20):
        filler = fill(group, rng, filled)
        if filler.en not in used:
            break
    return filler


def _parse(line: str) -> Template:
    en, ru, slots = (part.strip() for part in line.split("|"))
    pairs = [slot.split("=") for slot in slots.split()]
    return Template(en, ru, tuple((name, group) for name, group in pairs))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
