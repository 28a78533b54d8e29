"""Reads the data of Wyoming's events, which may be any JSON.

Each function raises :class:`Refusal` for a value that is not of its kind. Fields without an effect
here are not looked at.
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
"""Bytes of a sample → FFmpeg's name of the format."""

MAX_TERMS = 100
MAX_HOTWORDS = 2_000
"""Characters of all terms."""

LONGEST_TOLD = 60
"""Longer values are cut off in messages."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What ``transcribe`` asks for: a model, and options as :class:`quest22.Transcriber` has them.

    A language that is none of ours is detected.
    """

    model: str | None = None
    language: str | None = None
    terms: tuple[str, ...] = ()

    @classmethod
    def of(cls, event: Event) -> Wanted:
        """What an event asks for."""
        names, terms = (_texts(event, name) for name in ("transcript_names", "transcript_terms"))
        return cls(_text(event, "name"), _text(event, "language"), (*names, *terms))

    def options(self) -> dict[str, Any]:
        """Of a live session."""
        code = track_language(self.language)
        options: dict[str, Any] = {"language": code if code in LANGUAGES else None}
        if self.terms:
            options["hotwords"] = ", ".join(self.terms[:MAX_TERMS])[:MAX_HOTWORDS]
        return options


def sound_format(event: Event) -> RawFormat:
    """The form of an event's sound."""
    rate_hz, width, channels = (_number(event, name) for name in ("rate", "width", "channels"))
    if width not in SAMPLES:
        raise _bad("width", "1 to 4 bytes a sample", width)
    try:
        return RawFormat(SAMPLES[width], rate_hz, channels)
    except UsageError as exc:
        raise Refusal("bad_request", str(exc)) from exc


def ping_text(event: Event) -> str | None:
    """What a ping wants to hear again."""
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
    """JSON may escape halves of characters, which no text has."""
    return isinstance(value, str) and not any("\ud800" <= each <= "\udfff" for each in value)


def _bad(name: str, expected: str, value: object) -> Refusal:
    told = ascii(value)
    if len(told) > LONGEST_TOLD:
        told = f"{told[:LONGEST_TOLD]}…"
    return Refusal("bad_request", f"{name} is {told}: expected {expected}", parameter=name)
