"""Events on their way to the client."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from quest22.server.openai.realtime.fields import EventError

Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
"""Passes an event to the client; waits while the client takes none, and then so do all behind."""


def new_id(kind: str) -> str:
    """An id as OpenAI's look."""
    return f"{kind}_{secrets.token_hex(12)}"


class EventSender:
    """Sends events one after the other, in the order in which they are given."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lock = asyncio.Lock()

    async def emit(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        async with self._lock:
            await self._send({"type": kind, "event_id": new_id("event"), **fields})

    async def error(self, error: EventError, event_id: object = None) -> None:
        """Tell a client what was wrong with its event."""
        await self.emit(
            "error",
            error={
                "type": "invalid_request_error",
                "code": error.code,
                "message": error.message,
                "param": error.parameter or None,
                "event_id": event_id if isinstance(event_id, str) else None,
            },
        )
