"""Reads the data of Wyoming events, which may be any JSON.

Each function raises :class:`Refusal` for a value of the wrong type. Fields that have no effect
here are not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wyoming.event import Event

from quest22.capture.raw_pcm import RawFormat
from quest22.errors import UsageError
from quest22.server.refusal import Refusal
from quest22.settings.languages import LANGUAGES, track_language

SAMPLES = {1: "u8", 2: "s16le", 3: "s24le", 4: "s32le"}
"""Bytes per sample → FFmpeg's name of the format."""

MAX_TERMS = 100
MAX_HOTWORDS = 2_000
"""Total length of all terms in characters."""

MAX_QUOTED_CHARACTERS = 60
"""Longer values are truncated in messages."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The model and the options of a ``transcribe`` event.

    An unknown language is detected instead.
    """

    model: str | None = None
    language: str | None = None
    terms: tuple[str, ...] = ()

    @classmethod
    def of(cls, event: Event) -> Wanted:
        """Read an event."""
        names, terms = (_texts(event, name) for name in ("transcript_names", "transcript_terms"))
        return cls(_text(event, "name"), _text(event, "language"), (*names, *terms))

    def options(self) -> dict[str, Any]:
        """Options named as in :meth:`quest22.Transcriber.live`."""
        code = track_language(self.language)
        options: dict[str, Any] = {"language": code if code in LANGUAGES else None}
        if self.terms:
            options["hotwords"] = ", ".join(self.terms[:MAX_TERMS])[:MAX_HOTWORDS]
        return options


def read_format(event: Event) -> RawFormat:
    """The audio format of an event."""
    rate_hz, width, channels = (_number(event, name) for name in ("rate", "width", "channels"))
    if width not in SAMPLES:
        raise _bad("width", "1 to 4 bytes a sample", width)
    try:
        return RawFormat(SAMPLES[width], rate_hz, channels)
    except UsageError as exc:
        raise Refusal("bad_request", str(exc)) from exc


def ping_text(event: Event) -> str | None:
    """The text that a pong must repeat."""
    return _text(event, "text")


def _number(event: Event, name: str) -> int:
    value = _data(event).get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _bad(name, "a whole number", value)
    return value


def _text(event: Event, name: str) -> str | None:
    value = _data(event).get(name)
    if value is not None and not _is_text(value):
        raise _bad(name, "a text", value)
    return value or None


def _texts(event: Event, name: str) -> list[str]:
    value = _data(event).get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(map(_is_text, value)):
        raise _bad(name, "a list of texts", value)
    return value


def _data(event: Event) -> Mapping[str, Any]:
    return event.data or {}


def _is_text(value: object) -> bool:
    """Whether it is a string without lone surrogates, which JSON can escape."""
    return isinstance(value, str) and not any("\ud800" <= each <= "\udfff" for each in value)


def _bad(name: str, expected: str, value: object) -> Refusal:
    told = ascii(value)
    if len(told) > MAX_QUOTED_CHARACTERS:
        told = f"{told[:MAX_QUOTED_CHARACTERS]}…"
    return Refusal("bad_request", f"{name} is {told}: expected {expected}", parameter=name)
