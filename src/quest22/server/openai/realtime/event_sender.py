"""Sends events to the client."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from quest22.server.openai.realtime.fields import EventError

Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
"""Sends an event over the transport; waits while the client is not reading."""


def new_id(kind: str) -> str:
    """An id in the style of OpenAI's."""
    return f"{kind}_{secrets.token_hex(12)}"


class EventSender:
    """Sends events one at a time, in the order of the calls."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lock = asyncio.Lock()

    async def emit(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        async with self._lock:
            await self._send({"type": kind, "event_id": new_id("event"), **fields})

    async def error(self, error: EventError, event_id: object = None) -> None:
        """Report an invalid client event."""
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
