"""Reads the parameters and the key of a ``/live`` handshake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from quest22.capture.raw_pcm import SAMPLE_FORMATS, RawFormat
from quest22.errors import UsageError
from quest22.server.access.credentials import TOKEN_OR_BEARER, header_key, subprotocol_key
from quest22.server.refusal import Refusal

SUBPROTOCOL = "quest22"
KEY_SUBPROTOCOL = "quest22.key."
"""Precedes the key in the second subprotocol."""

ENCODED = "encoded"
MAX_VALUE_CHARACTERS = 4_000

OPTIONS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "language": ("language", str),
    "languages": ("languages", str),
    "task": ("task", str),
    "prompt": ("initial_prompt", str),
    "hotwords": ("hotwords", str),
    "policy": ("policy", str),
    "endpoint_ms": ("endpoint_ms", int),
    "step": ("step_s", float),
}
"""Query parameter → option, and how to parse it."""

NAMES = ("model", "format", "rate", "channels", *OPTIONS)


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """The model, the session's options and the audio format; ``raw`` is None for a container."""

    model: str | None
    options: Mapping[str, Any]
    raw: RawFormat | None

    @classmethod
    def read(cls, connection: HTTPConnection) -> LiveRequest:
        """Raises :class:`Refusal` for invalid parameters."""
        given = dict(connection.query_params)
        for name, value in given.items():
            if name not in NAMES:
                raise _bad(name, f"unknown parameter {name!r}: expected {', '.join(NAMES)}")
            if len(value) > MAX_VALUE_CHARACTERS:
                raise _bad(name, f"{name} is longer than {MAX_VALUE_CHARACTERS} characters")
        options = {
            option: _number(name, given[name], read)
            for name, (option, read) in OPTIONS.items()
            if given.get(name)
        }
        return cls(given.get("model"), options, _raw(given))


def key_of(connection: HTTPConnection) -> str | None:
    """The key in ``Authorization``, or among the subprotocols."""
    scope = connection.scope
    return header_key(scope, TOKEN_OR_BEARER) or subprotocol_key(scope, KEY_SUBPROTOCOL)


def _raw(given: Mapping[str, str]) -> RawFormat | None:
    name = given.get("format", "s16le")
    if name == ENCODED:
        return None
    if name not in SAMPLE_FORMATS:
        raise _bad(
            "format",
            f"format is {name!r}: expected {ENCODED}, for a container such as WebM or Ogg, or raw "
            f"samples in one of {', '.join(SAMPLE_FORMATS)}",
        )
    rate_hz = _number("rate", given.get("rate", "16000"), int)
    channels = _number("channels", given.get("channels", "1"), int)
    try:
        return RawFormat(name, rate_hz, channels)
    except UsageError as exc:
        raise Refusal("bad_request", str(exc)) from exc


def _number(name: str, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except ValueError as exc:
        raise _bad(name, f"{name} is {text!r}: expected a number") from exc


def _bad(name: str, message: str) -> Refusal:
    return Refusal("bad_request", message, parameter=name[:40])
