"""Sends responses, whole or as server-sent events, with errors in OpenAI's format in both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.types import Scope, Send

from quest22.server.openai.errors import error_body, openai_error_response
from quest22.server.refusal import Refusal
from quest22.server.upload.body import Body
from quest22.server.upload.send_refusal import send_refusal

EVENTS = "text/event-stream; charset=utf-8"
KEEP_ALIVE_S = 15.0
"""How often to send a comment in an idle stream: proxies close silent connections."""


class Answer:
    """The response to one request."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.streams = False
        self._begun = False
        self._send = send
        self._scope = scope

    async def whole(self, content: str, media_type: str) -> None:
        """Send a whole response."""
        await self._start(200, media_type, {"content-length": str(len(content.encode()))})
        await self._body(content)

    async def event(self, event: Mapping[str, Any]) -> None:
        """Send an event of a stream."""
        await self._begin_stream()
        await self._body(f"data: {json.dumps(event, ensure_ascii=False)}\n\n", more=True)

    async def end(self) -> None:
        """End the stream."""
        await self._begin_stream()
        await self._body("")

    async def keep_alive(self) -> None:
        """Keep sending comments, which clients ignore."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            await self._begin_stream()
            await self._body(": waiting\n\n", more=True)

    async def refuse(self, refusal: Refusal, body: Body | None) -> None:
        """Send an error, as a response or as an event of a stream that has begun."""
        response = openai_error_response(refusal)
        if self.streams:
            await self.event(error_body(refusal))
            await self._body("")
        if self._begun:
            return
        self._begun = True
        await send_refusal(response, body, self._scope, self._send)

    async def _begin_stream(self) -> None:
        if not self.streams:
            self.streams = True
            await self._start(200, EVENTS, {"cache-control": "no-cache", "x-accel-buffering": "no"})

    async def _start(self, status: int, media_type: str, headers: Mapping[str, str]) -> None:
        self._begun = True
        every = {"content-type": media_type, **headers}
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in every.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _body(self, content: str, *, more: bool = False) -> None:
        message = {"type": "http.response.body", "body": content.encode(), "more_body": more}
        await self._send(message)
