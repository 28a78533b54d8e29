"""The text messages of a client: what it wants, or why that cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from quest22.server.deepgram.parameters import Formatting

MAX_MESSAGE_CHARACTERS = 65_536
"""Letters of a message; a longer one is no control message."""

MAX_QUOTED_CHARACTERS = 200
"""Letters of a message that an error repeats."""

Kind: TypeAlias = Literal["KeepAlive", "Finalize", "CloseStream", "Configure"]
KINDS: tuple[Kind, ...] = ("KeepAlive", "Finalize", "CloseStream", "Configure")
FORMATS = ("punctuate", "smart_format")
NUMERALS = "numerals"


@dataclass(frozen=True, slots=True)
class Control:
    """A message. ``channel`` None: of all of them."""

    kind: Kind
    channel: int | None
    fields: Mapping[str, Any]


def read(text: str) -> Control | None:
    """A client's message; None for what is none."""
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
    """What is said to a message that is none."""
    return {
        "type": "Error",
        "variant": "SchemaError",
        "description": f"expected a JSON object whose type is {', '.join(KINDS)}",
        "message": text[:MAX_QUOTED_CHARACTERS],
    }


def configure(control: Control, formatting: Formatting, request_id: str) -> dict[str, Any]:
    """Change how words are written; returns the answer.

    The words to expect belong to a session from its beginning, so they cannot be changed.
    """
    keyterms, features = control.fields.get("keyterms"), control.fields.get("features") or {}
    if keyterms is not None:
        code = "CONFIGURE_KEYTERMS_NOT_SUPPORTED"
        return _failure(request_id, code, "keyterms are for a whole stream: open another one")
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
