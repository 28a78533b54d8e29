"""Checks that settings groups share. Each raises :class:`UsageError` with the option's name."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_origin

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
    """Refuse what is not among ``choices``."""
    if value not in choices:
        *others, last = choices
        expected = f"{', '.join(others)} or {last}"
        raise UsageError(f"{name} is {value!r}: expected {expected}")


_EXPECTED = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}


def check_type(name: str, value: Any, annotation: Any) -> Any:
    """A value as an option of this type holds it: NumPy's numbers become Python's.

    Refuses values of other types; those of types that are not checked pass.
    """
    if get_origin(annotation) is Literal:
        annotation = str
    kinds = get_args(annotation) or (annotation,)
    if value is None and type(None) in kinds:
        return None
    kind = next((each for each in kinds if each in _EXPECTED), None)
    if kind is None or (isinstance(value, kind) and kind in (bool, str)):
        return value
    if kind in (int, float) and not isinstance(value, bool):
        if kind is int and isinstance(value, Integral):
            return int(value)
        if kind is float and isinstance(value, Real):
            return float(value)
    nothing = ", or None" if type(None) in kinds else ""
    raise UsageError(f"{name} is {value!r}: expected {_EXPECTED[kind]}{nothing}")
