"""Reads query parameters by type; :mod:`.parameters` knows what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from quest22.server.refusal import Refusal

MAX_VALUES = 100
"""How often a parameter may be repeated."""

MAX_CHARACTERS = 2_000
"""In all values of a parameter together."""

FLAGS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(slots=True)
class Query:
    """Names and values in order; a name may be repeated.

    Every method raises :class:`Refusal` for an invalid value.
    """

    pairs: Iterable[tuple[str, str]]
    _values: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.pairs:
            self._values.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a parameter except empty ones."""
        found = tuple(value for value in self._values.get(name, ()) if value)
        if len(found) > MAX_VALUES or sum(map(len, found)) > MAX_CHARACTERS:
            raise _refused(
                name, f"at most {MAX_VALUES} values of {MAX_CHARACTERS:,} characters in total"
            )
        return found

    def text(self, name: str) -> str | None:
        """The last value; None if there is none."""
        found = self.values(name)
        return found[-1] if found else None

    def flag(self, name: str) -> bool:
        """``true`` or ``false``, case-insensitive; False if absent."""
        value = self.text(name)
        if value is None:
            return False
        if value.lower() not in FLAGS:
            raise _refused(name, f"true or false, not {value[:40]!r}")
        return FLAGS[value.lower()]

    def integer(self, name: str, minimum: int, maximum: int) -> int | None:
        """An integer; None if absent."""
        value = self.text(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or not minimum <= int(value[:12]) <= maximum:
            raise _refused(name, f"a whole number from {minimum} to {maximum}, not {value[:40]!r}")
        return int(value)

    def number(self, name: str, minimum: float, maximum: float) -> float | None:
        """A number; None if absent."""
        value = self.text(name)
        if value is None:
            return None
        try:
            found = float(value)
        except ValueError:
            found = minimum - 1
        if not minimum <= found <= maximum:
            raise _refused(name, f"a number from {minimum:g} to {maximum:g}, not {value[:40]!r}")
        return found

    def is_set(self, name: str) -> bool:
        """Whether a parameter is present and not ``false``."""
        return any(value.lower() not in ("false", "0") for value in self.values(name))


def _refused(name: str, expected: str) -> Refusal:
    return Refusal("bad_request", f"{name}: expected {expected}", parameter=name)
