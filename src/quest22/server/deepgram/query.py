"""The parameters of an address, read one by one; what they mean is not known here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from quest22.server.refusal import Refusal

MAX_VALUES = 100
"""How often a parameter may be repeated."""

MAX_CHARACTERS = 2_000
"""Of all values of a parameter together."""

FLAGS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(slots=True)
class Query:
    """Names and values in their order; a name may come several times.

    Every method raises :class:`Refusal` for a value that cannot be.
    """

    pairs: Iterable[tuple[str, str]]
    _values: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.pairs:
            self._values.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def every(self, name: str) -> tuple[str, ...]:
        """All values of a parameter that may be repeated; empty ones are left out."""
        found = tuple(value for value in self._values.get(name, ()) if value)
        if len(found) > MAX_VALUES or sum(map(len, found)) > MAX_CHARACTERS:
            raise _refused(
                name, f"at most {MAX_VALUES} values of {MAX_CHARACTERS:,} letters in all"
            )
        return found

    def text(self, name: str) -> str | None:
        """The last value, as whoever repeats a parameter means it; None: there is none."""
        found = self.every(name)
        return found[-1] if found else None

    def flag(self, name: str) -> bool:
        """``true`` or ``false``, in any case; false if it is absent."""
        value = self.text(name)
        if value is None:
            return False
        if value.lower() not in FLAGS:
            raise _refused(name, f"true or false, not {value[:40]!r}")
        return FLAGS[value.lower()]

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number; None if it is absent."""
        value = self.text(name)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or not least <= int(value[:12]) <= most:
            raise _refused(name, f"a whole number from {least} to {most}, not {value[:40]!r}")
        return int(value)

    def number(self, name: str, least: float, most: float) -> float | None:
        """A number; None if it is absent."""
        value = self.text(name)
        if value is None:
            return None
        try:
            found = float(value)
        except ValueError:
            found = least - 1
        if not least <= found <= most:
            raise _refused(name, f"a number from {least:g} to {most:g}, not {value[:40]!r}")
        return found

    def asks_for(self, name: str) -> bool:
        """Whether a parameter is there that is not ``false``, whatever its values are."""
        return any(value.lower() not in ("false", "0") for value in self.every(name))


def _refused(name: str, expected: str) -> Refusal:
    return Refusal("bad_request", f"{name}: expected {expected}", parameter=name)
