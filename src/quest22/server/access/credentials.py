"""Reads the key and the peer address of a request, and its subprotocols, which may hold the key.

Each protocol decides where its clients put the key.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import Scope

BEARER = frozenset({"bearer"})
TOKEN_OR_BEARER = frozenset({"token", "bearer"})


def header_key(scope: Scope, schemes: Collection[str] = BEARER) -> str | None:
    """The key in ``Authorization: SCHEME KEY``; None if it is missing or has another scheme."""
    value = Headers(scope=scope).get("authorization", "")
    scheme, _, key = value.strip().partition(" ")
    return key.strip() or None if scheme.lower() in schemes else None


def subprotocols(scope: Scope) -> list[str]:
    """The names in ``Sec-WebSocket-Protocol``, in the client's order."""
    listed = ",".join(Headers(scope=scope).getlist("sec-websocket-protocol"))
    return [each.strip() for each in listed.split(",") if each.strip()]


def subprotocol_key(scope: Scope, prefix: str) -> str | None:
    """The rest of the first subprotocol that begins with ``prefix``.

    Browsers cannot set headers, so they send their key as a subprotocol.
    """
    for offered in subprotocols(scope):
        if offered.startswith(prefix):
            return offered.removeprefix(prefix)
    return None


def peer_address(scope: Scope) -> str:
    """The peer's address, or the one that a trusted proxy reports."""
    client = scope.get("client")
    return str(client[0]) if client else ""
