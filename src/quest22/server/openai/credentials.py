"""Who asks, as clients of OpenAI say it."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Scope

BEARER = "bearer "


def bearer_key(scope: Scope) -> str | None:
    """The key of ``Authorization: Bearer …``; None without one."""
    value = Headers(scope=scope).get("authorization", "")
    return (value[len(BEARER) :].strip() or None) if value.lower().startswith(BEARER) else None


def peer(scope: Scope) -> str:
    """The address of the other side."""
    client = scope.get("client")
    return str(client[0]) if client else ""
