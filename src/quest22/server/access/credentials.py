"""The key and the address that come with a request, and the subprotocols that may hold a key.

Each protocol says where its clients put the key; how it is read is the same for all.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import Scope

BEARER = frozenset({"bearer"})
TOKEN_OR_BEARER = frozenset({"token", "bearer"})


def header_key(scope: Scope, schemes: Collection[str] = BEARER) -> str | None:
    """The key of ``Authorization: SCHEME KEY``; None without one, or with another scheme."""
    value = Headers(scope=scope).get("authorization", "")
    scheme, _, key = value.strip().partition(" ")
    return key.strip() or None if scheme.lower() in schemes else None


def subprotocols(scope: Scope) -> list[str]:
    """The names in ``Sec-WebSocket-Protocol``, in the client's order."""
    listed = ",".join(Headers(scope=scope).getlist("sec-websocket-protocol"))
    return [each.strip() for each in listed.split(",") if each.strip()]


def subprotocol_key(scope: Scope, prefix: str) -> str | None:
    """The rest of the first subprotocol that begins with ``prefix``.

    Browsers cannot set headers, so they offer their key as a subprotocol.
    """
    for offered in subprotocols(scope):
        if offered.startswith(prefix):
            return offered.removeprefix(prefix)
    return None


def peer_address(scope: Scope) -> str:
    """The address of the other side, as the proxy states it if that is believed."""
    client = scope.get("client")
    return str(client[0]) if client else ""
