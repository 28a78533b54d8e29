"""Checks that settings groups share. Each raises :class:`UsageError` with the option's name."""

from __future__ import annotations

from collections.abc import Sequence

from quest22.errors import UsageError


def check_at_least(name: str, value: int | None, least: int) -> None:
    """Refuse numbers below ``least``; None passes."""
    if value is not None and value < least:
        raise UsageError(f"{name} is {value}: expected {least} or more")


def check_positive(name: str, value: float | None) -> None:
    """Refuse 0 and negative numbers; None passes."""
    if value is not None and value <= 0:
        raise UsageError(f"{name} is {value}: expected a number above 0")


def check_fraction(name: str, value: float | None) -> None:
    """Refuse numbers outside 0 to 1; None passes."""
    if value is not None and not 0 <= value <= 1:
        raise UsageError(f"{name} is {value}: expected a number from 0 to 1")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a value that is not among ``choices``."""
    if value not in choices:
        *others, last = choices
        expected = f"{', '.join(others)} or {last}"
        raise UsageError(f"{name} is {value!r}: expected {expected}")
