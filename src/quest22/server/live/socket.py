"""``/live``: sound comes in over a websocket, live events go back as JSON; see docs/server-page.md.

A client is refused at the handshake, with an HTTP status. Browsers do not tell it to a page, so the
same address answers a plain GET with what the handshake would have said.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.status import (
    WS_1000_NORMAL_CLOSURE,
    WS_1011_INTERNAL_ERROR,
    WS_1012_SERVICE_RESTART,
)
from starlette.websockets import WebSocket, WebSocketDisconnect

from quest22.errors import ClipError, UsageError
from quest22.records import Transcript
from quest22.runtime.live_session import LiveSession
from quest22.server.access.credentials import peer_address, subprotocols
from quest22.server.live.request import SUBPROTOCOL, LiveRequest, key_of
from quest22.server.live_feed import EncodedFeed, RawFeed, flush_session
from quest22.server.models import ServedModel
from quest22.server.operations.request_context import current_request
from quest22.server.refusal import Refusal, refused
from quest22.server.service import FAULTS, Service
from quest22.sink.formats.live_events import event_fields

_log = logging.getLogger("quest22.server")

SILENT_S = 60.0
"""A client that sends nothing for so long, not even silence, has ended its sound."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A session whose client was let in."""

    asked: LiveRequest
    model: ServedModel
    session: LiveSession


def routes(service: Service) -> list[BaseRoute]:
    """The websocket, and what it would say, for a plain GET."""

    async def live(websocket: WebSocket) -> None:
        try:
            async with _opened(service, websocket) as opened:
                spoken = SUBPROTOCOL in subprotocols(websocket.scope)
                await websocket.accept(SUBPROTOCOL if spoken else None)
                with suppress(WebSocketDisconnect):
                    await _Connection(websocket, opened, service).run()
        except Refusal as refusal:
            await websocket.send_denial_response(_refused(refusal))

    async def why(request: Request) -> JSONResponse:
        try:
            async with _opened(service, request):
                pass
        except Refusal as refusal:
            return _refused(refusal)
        return JSONResponse(
            {"error": "there is room: open a websocket at this address", "reason": "websocket"},
            status_code=426,
            headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        )

    return [WebSocketRoute("/live", live), Route("/live", why)]


@asynccontextmanager
async def _opened(service: Service, connection: HTTPConnection) -> AsyncIterator[_Opened]:
    """All that may refuse a client comes before its first sound."""
    caller = service.gate.identify(key_of(connection), peer_address(connection.scope))
    asked = LiveRequest.read(connection)
    service.models.resolve(asked.model)
    with service.gate.admit(caller, "live") as admission:
        async with (
            service.models.borrow(asked.model) as model,
            service.live(model, asked.options, admission) as session,
        ):
            yield _Opened(asked, model, session)


def _refused(refusal: Refusal) -> JSONResponse:
    fields = {"error": refusal.message, "reason": refusal.reason, "parameter": refusal.parameter}
    return refused(refusal, fields)


class _Connection:
    """One client's session: its messages are read while its events are written."""

    def __init__(self, websocket: WebSocket, opened: _Opened, service: Service) -> None:
        self._websocket = websocket
        self._opened = opened
        self._service = service
        self._session = opened.session
        self._feed = (
            EncodedFeed(opened.session, opened.session.key)
            if opened.asked.raw is None
            else RawFeed(opened.session, opened.asked.raw)
        )
        self._ended = False

    async def run(self) -> None:
        reading: asyncio.Task[None] | None = None
        try:
            await self._send({"type": "ready", "model": self._opened.model.name})
            reading = asyncio.create_task(self._read())
            async with self._service.session_registered(self._end):
                async for event in self._session:
                    await self._send(event_fields(event))
                await self._conclude(self._session.result(0))
        except ClipError as exc:
            await self._fail(exc)
        finally:
            if reading is not None:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading
            self._session.cancel()
            # A thread may still wait for the sound of a client that has gone.
            await self._feed.end()

    # What the client sends.

    async def _read(self) -> None:
        """Take messages until the client has gone; what it said is dropped then."""
        try:
            while True:
                await self._take(await self._next_message())
        except WebSocketDisconnect:
            self._session.cancel()
        except ClipError:
            return  # the events end with it, too
        except Exception:  # nobody would notice that the client goes, and its place stay taken
            _log.exception("%s: messages cannot be read", current_request().request_id)
            self._session.cancel()

    async def _next_message(self) -> Any:
        receive = self._websocket.receive()
        if self._ended:
            return await receive
        try:
            return await asyncio.wait_for(receive, SILENT_S)
        except TimeoutError:
            return {"type": "websocket.receive", "text": '{"type": "end"}'}

    async def _take(self, message: Any) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        data = message.get("bytes")
        if data is None:
            await self._obey(message.get("text") or "")
        elif not self._ended:
            await self._hear(data)

    async def _hear(self, data: bytes) -> None:
        try:
            await self._feed.feed(data)
        except UsageError as exc:
            if not self._ended:  # else the server has ended the session in the meantime
                await self._send({"type": "error", "message": str(exc)})

    async def _obey(self, text: str) -> None:
        order = _order(text)
        if order == "flush":
            await flush_session(self._session)
        elif order == "end":
            await self._end()
        elif order != "keep_alive":
            message = f"a message {text[:80]!r}: expected sound in binary messages, or one of "
            message += '{"type": "flush"}, {"type": "end"}, {"type": "keep_alive"}'
            await self._send({"type": "error", "message": message})

    async def _end(self) -> None:
        if not self._ended:
            self._ended = True
            await self._feed.end()

    # What the client gets.

    async def _send(self, fields: dict[str, Any]) -> None:
        await self._websocket.send_text(json.dumps(fields, ensure_ascii=False))

    async def _conclude(self, transcript: Transcript) -> None:
        if isinstance(self._feed, EncodedFeed) and self._feed.error is not None:
            raise self._feed.error
        await self._send(
            {
                "type": "end",
                "duration": round(transcript.duration_s, 3),
                "language": transcript.language,
            }
        )
        draining = self._service.draining.is_set()
        await self._websocket.close(WS_1012_SERVICE_RESTART if draining else WS_1000_NORMAL_CLOSURE)

    async def _fail(self, error: ClipError) -> None:
        current_request().reason = FAULTS.get(error.stage, "failed")
        await self._send({"type": "error", "message": error.reason})
        await self._websocket.close(WS_1011_INTERNAL_ERROR)


def _order(text: str) -> str:
    """The type of a client's message; empty if it has none."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    order = fields.get("type") if isinstance(fields, dict) else None
    return order if isinstance(order, str) else ""
