"""What a check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How bad it is: only ``MISSING`` keeps the product from working."""

    GOOD = "✓"
    NOTE = "•"
    MISSING = "✗"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: the subject, what was found, and what to do about it if anything."""

    subject: str
    found: str
    advice: str = ""
    state: State = State.GOOD


def note(subject: str, found: str, advice: str) -> Finding:
    """Something works less well than it could, or not at all but is not needed."""
    return Finding(subject, found, advice, State.NOTE)


def missing(subject: str, found: str, advice: str) -> Finding:
    """Something is not there without which nothing works."""
    return Finding(subject, found, advice, State.MISSING)
