"""Deepgram's ways to name a key: a header, or a websocket's subprotocols."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

SCHEMES = ("token", "bearer")


def key_of_header(authorization: str | None) -> str | None:
    """Of ``Token KEY`` or ``Bearer KEY``; None: there is none."""
    scheme, _, key = (authorization or "").strip().partition(" ")
    return key.strip() or None if scheme.lower() in SCHEMES else None


def key_of_subprotocols(offered: Sequence[str]) -> tuple[str | None, str | None]:
    """The key, and the subprotocol to answer with (never the key): of ``token, KEY``."""
    for scheme, key in pairwise(offered):
        if scheme.lower() in SCHEMES:
            return key, scheme
    return None, None
