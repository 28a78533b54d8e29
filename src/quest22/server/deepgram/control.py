"""A client's control messages, and the answers to ``Configure`` and to invalid ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from quest22.server.deepgram.parameters import Formatting

MAX_MESSAGE_CHARACTERS = 65_536
"""A longer message is not a control message."""

MAX_QUOTED_CHARACTERS = 200
"""How much of a message an error quotes."""

Kind: TypeAlias = Literal["KeepAlive", "Finalize", "CloseStream", "Configure"]
KINDS: tuple[Kind, ...] = ("KeepAlive", "Finalize", "CloseStream", "Configure")
FORMATS = ("punctuate", "smart_format")
NUMERALS = "numerals"


@dataclass(frozen=True, slots=True)
class Control:
    """A control message. ``channel`` None: for all channels."""

    kind: Kind
    channel: int | None
    fields: Mapping[str, Any]


def read(text: str) -> Control | None:
    """Parse a client's message; None if it is not a control message."""
    if len(text) > MAX_MESSAGE_CHARACTERS:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("type") not in KINDS:
        return None
    channel = found.get("channel")
    return Control(found["type"], channel if isinstance(channel, int) else None, found)


def schema_error(text: str) -> dict[str, Any]:
    """The answer to an invalid message."""
    return {
        "type": "Error",
        "variant": "SchemaError",
        "description": f"expected a JSON object whose type is {', '.join(KINDS)}",
        "message": text[:MAX_QUOTED_CHARACTERS],
    }


def configure(control: Control, formatting: Formatting, request_id: str) -> dict[str, Any]:
    """Change how words are formatted; returns the answer.

    Keyterms are fixed when a session is opened, so they cannot be changed.
    """
    keyterms, features = control.fields.get("keyterms"), control.fields.get("features") or {}
    if keyterms is not None:
        code = "CONFIGURE_KEYTERMS_NOT_SUPPORTED"
        return _failure(request_id, code, "keyterms cannot change during a stream: open another")
    known = (*FORMATS, NUMERALS)
    if not isinstance(features, dict) or not set(features) <= set(known):
        message = f"features: expected true or false for {', '.join(known)}"
        return _failure(request_id, "CONFIGURE_INTERNAL_ERROR", message)
    wanted = [bool(features[name]) for name in FORMATS if name in features]
    if wanted:
        formatting.punctuated = any(wanted)
    return {"type": "ConfigureSuccess", "request_id": request_id}


def _failure(request_id: str, code: str, description: str) -> dict[str, Any]:
    return {
        "type": "ConfigureFailure",
        "request_id": request_id,
        "code": code,
        "description": description,
    }
