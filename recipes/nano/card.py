"""Writes ``MODEL_CARD.md`` from the figures of an evaluation: every promise, kept or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Figures = Mapping[str, float]
HEAD = Path(__file__).with_name("card_head.md")
TAIL = Path(__file__).with_name("card_tail.md")


@dataclass(frozen=True, slots=True)
class Promise:
    """One row: what is measured, in each language, and what it should reach."""

    label: str
    keys: tuple[str, ...]
    limit: float
    at_least: bool = False
    seconds: bool = False

    def kept(self, figures: Figures) -> bool:
        """Whether all of its figures are within the limit."""
        values = [figures[key] for key in self.keys]
        if self.at_least:
            return all(value >= self.limit for value in values)
        return all(value <= self.limit for value in values)


def both(label: str, key: str, limit: float, **more: bool) -> Promise:
    """A promise that is measured in English and Russian alike."""
    return Promise(label, (f"{key} en", f"{key} ru"), limit, **more)


PROMISES = (
    both("Words wrong, known voices", "wer known", 0.015),
    Promise("Words wrong, unheard voices, English", ("wer unseen en",), 0.06),
    Promise("Words wrong, unheard voices, Russian", ("wer unseen ru",), 0.10),
    both("Words wrong, white noise at 10 dB", "wer white noise", 0.08),
    both("Words wrong, pink noise at 10 dB", "wer pink noise", 0.08),
    both("Words wrong, babble at 10 dB", "wer babble noise", 0.08),
    both("Words wrong, full windows with times", "wer packed with times", 0.04),
    both("Words wrong, full windows without times", "wer packed", 0.04),
    Promise("Language right", ("language right",), 0.99, at_least=True),
    Promise("Words wrong, translation of Russian", ("wer translation ru-en",), 0.05),
    both("Segment times off, single clips, median", "segment time median s single", 0.05,
         seconds=True),
    both("Segment times off, full windows, median", "segment time median s packed", 0.05,
         seconds=True),
    Promise("No speech found in silence, noise, tones, music", ("no speech right",), 0.98,
            at_least=True),
    both("Speech called silence, known voices", "speech called silence known", 0.01),
    both("Speech called silence, unheard voices", "speech called silence unseen", 0.01),
    both("Speech called silence, white noise", "speech called silence white", 0.01),
    both("Speech called silence, pink noise", "speech called silence pink", 0.01),
    both("Speech called silence, babble", "speech called silence babble", 0.01),
    both("Word starts off, median", "word start median s", 0.1, seconds=True),
)  # fmt: skip


def table(figures: Figures) -> str:
    """The promises as a Markdown table."""
    rows = ["| Measure | Promised | English | Russian | Kept |", "|---|---|---|---|---|"]
    for promise in PROMISES:
        show = _seconds if promise.seconds else _percent
        sign = "≥" if promise.at_least else "≤"
        cells = _cells(promise, [show(figures[key]) for key in promise.keys])
        kept = "yes" if promise.kept(figures) else "**no**"
        limit = f"{sign} {show(promise.limit)}"
        rows.append(f"| {promise.label} | {limit} | {cells[0]} | {cells[1]} | {kept} |")
    return "\n".join(rows)


def card(figures: Figures, count: int) -> str:
    """The whole model card."""
    more = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(figures.items()))
    every = f"| Figure | Value |\n|---|---|\n{more}"
    tail = TAIL.read_text(encoding="utf-8").replace("{every}", every)
    head = HEAD.read_text(encoding="utf-8").replace("{count}", str(count))
    return f"{head}\n{table(figures)}\n\n{tail}"


def _cells(promise: Promise, shown: list[str]) -> tuple[str, str]:
    if len(shown) == 2:
        return shown[0], shown[1]
    if promise.keys[0].endswith(" en"):
        return shown[0], "–"
    if promise.keys[0].endswith((" ru", "ru-en")):
        return "–", shown[0]
    return shown[0], shown[0]


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _seconds(value: float) -> str:
    return f"{value:.3f} s"
