"""Reads and checks the fields of client events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

MAX_QUOTED_CHARACTERS = 60
"""Longer values are not quoted in messages."""

Choice = TypeVar("Choice", bound=str)


class EventError(Exception):
    """A client's event is invalid; the session reports it in an ``error`` event and continues.

    ``code`` and ``parameter`` are OpenAI's ``code`` and ``param``.
    """

    def __init__(self, message: str, code: str = "invalid_value", parameter: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.parameter = parameter


class Fields:
    """The fields of a JSON object; ``path`` is its position in the event.

    A missing field has the default value, and so have null and "" unless they mean something.
    Each method raises :class:`EventError` for an invalid value.
    """

    def __init__(self, values: object, path: str) -> None:
        if not isinstance(values, Mapping):
            name = path or "the event"
            raise EventError(f"{name} is {_kind(values)}: expected an object", parameter=path)
        self.values: Mapping[str, Any] = values
        self._path = path

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def is_null(self, name: str) -> bool:
        """Whether the field is present and null."""
        return name in self.values and self.values[name] is None

    def inner(self, name: str) -> Fields | None:
        """A nested object; None if it is missing or null."""
        value = self.values.get(name)
        return None if value is None else Fields(value, self.place(name))

    def text(self, name: str, default: str | None, most: int) -> str | None:
        """A string of at most ``most`` characters; null and "" clear it."""
        if name not in self.values:
            return default
        value = self.values[name]
        if value is None or value == "":
            return None
        if not isinstance(value, str) or not _is_unicode(value):
            raise self.error(name, "text")
        if len(value) > most:
            raise EventError(
                f"{self.place(name)} has {len(value)} characters: expected {most} at most",
                parameter=self.place(name),
            )
        return value

    def texts(self, name: str, default: Sequence[str], most: int) -> tuple[str, ...]:
        """A list of at most ``most`` strings; null clears it."""
        value = self.values.get(name, default)
        if value is None:
            return ()
        fits = isinstance(value, (list, tuple)) and all(map(_is_unicode, value))
        if not fits or len(value) > most:
            raise self.error(name, f"a list of texts, {most} at most")
        return tuple(each for each in value if each)

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """A number from ``least`` to ``most``."""
        value = self.values.get(name)
        if value is None:
            return default
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:
            raise self.error(name, f"a number from {least:g} to {most:g}")
        return float(value)

    def choice(self, name: str, default: Choice | None, choices: Sequence[Choice]) -> Choice | None:
        """One of the given strings."""
        value = self.values.get(name)
        if value is None:
            return default
        for each in choices:
            if value == each:
                return each
        raise self.error(name, " or ".join(choices))

    def error(self, name: str, expected: str) -> EventError:
        """The error for a field with an unexpected value."""
        value = self.values.get(name)
        quoted = repr(value) if isinstance(value, (int, float, str)) else ""
        if not 0 < len(quoted) <= MAX_QUOTED_CHARACTERS:
            quoted = _kind(value)
        place = self.place(name)
        return EventError(f"{place} is {quoted}: expected {expected}", parameter=place)

    def place(self, name: str) -> str:
        """The position of a field in the event, such as ``session.audio``."""
        return f"{self._path}.{name}" if self._path else name


def _is_unicode(value: object) -> bool:
    """Whether it is a string that can be encoded: no lone surrogates."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "null" if value is None else kinds.get(type(value), "a number")
