"""``/live``: audio in over a websocket, live events out as JSON; see docs/server-page.md.

Clients that are refused get an HTTP status at the handshake. Browsers hide it from pages, so a
plain GET of the same address returns the same response.
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
from quest22.server.live.messages import LiveMessage
from quest22.server.live.request import SUBPROTOCOL, LiveRequest, key_of
from quest22.server.live_feed import EncodedFeed, RawFeed, flush_session
from quest22.server.models import ServedModel
from quest22.server.operations.request_context import current_request
from quest22.server.refusal import Refusal, refusal_response
from quest22.server.service import FAULTS, Service
from quest22.sink.formats.live_events import event_fields

_log = logging.getLogger("quest22.server")

IDLE_TIMEOUT_S = 60.0
"""The audio counts as ended if the client sends nothing, not even silence, for this long."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """The session of an admitted client."""

    asked: LiveRequest
    model: ServedModel
    session: LiveSession


def routes(service: Service) -> list[BaseRoute]:
    """The websocket, and the GET that explains refusals."""

    async def live(websocket: WebSocket) -> None:
        try:
            async with _opened(service, websocket) as opened:
                spoken = SUBPROTOCOL in subprotocols(websocket.scope)
                await websocket.accept(SUBPROTOCOL if spoken else None)
                with suppress(WebSocketDisconnect):
                    await _Connection(websocket, opened, service).run()
        except Refusal as refusal:
            await websocket.send_denial_response(_refused(refusal))

    async def explain(request: Request) -> JSONResponse:
        try:
            async with _opened(service, request):
                pass
        except Refusal as refusal:
            return _refused(refusal)
        return JSONResponse(
            {"error": "not refused: open a websocket at this address", "reason": "websocket"},
            status_code=426,
            headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        )

    return [WebSocketRoute("/live", live), Route("/live", explain)]


@asynccontextmanager
async def _opened(service: Service, connection: HTTPConnection) -> AsyncIterator[_Opened]:
    """Open a session. Raises :class:`Refusal`: nothing can refuse a client later."""
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
    return refusal_response(refusal, fields)


class _Connection:
    """One client's connection: reads its messages while sending its events."""

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
                await self._send_end(self._session.result(0))
        except ClipError as exc:
            await self._fail(exc)
        finally:
            if reading is not None:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading
            self._session.cancel()
            # A decoder thread may still be waiting for audio.
            await self._feed.end()

    # Receiving.

    async def _read(self) -> None:
        """Handle messages until the client disconnects, which cancels the session."""
        try:
            while True:
                await self._take(await self._next_message())
        except WebSocketDisconnect:
            self._session.cancel()
        except ClipError:
            return  # sending events fails with it, too
        except Exception:  # or the place stays taken: nobody reads that the client disconnects
            _log.exception("%s: messages cannot be read", current_request().request_id)
            self._session.cancel()

    async def _next_message(self) -> Any:
        receive = self._websocket.receive()
        if self._ended:
            return await receive
        try:
            return await asyncio.wait_for(receive, IDLE_TIMEOUT_S)
        except TimeoutError:
            return {"type": "websocket.receive", "text": '{"type": "end"}'}

    async def _take(self, message: Any) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        data = message.get("bytes")
        if data is None:
            await self._handle_text(message.get("text") or "")
        elif not self._ended:
            await self._feed_audio(data)

    async def _feed_audio(self, data: bytes) -> None:
        try:
            await self._feed.feed(data)
        except UsageError as exc:
            if not self._ended:  # else the server has ended the session in the meantime
                await self._send({"type": "error", "message": str(exc)})

    async def _handle_text(self, text: str) -> None:
        kind = _message_type(text)
        if kind == "flush":
            await flush_session(self._session)
        elif kind == "end":
            await self._end()
        elif kind != "keep_alive":
            message = (
                f"invalid message {text[:80]!r}: expected audio in binary messages, or one of "
            )
            message += '{"type": "flush"}, {"type": "end"}, {"type": "keep_alive"}'
            await self._send({"type": "error", "message": message})

    async def _end(self) -> None:
        if not self._ended:
            self._ended = True
            await self._feed.end()

    # Sending.

    async def _send(self, fields: LiveMessage) -> None:
        await self._websocket.send_text(json.dumps(fields, ensure_ascii=False))

    async def _send_end(self, transcript: Transcript) -> None:
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


def _message_type(text: str) -> str:
    """The type of a text message; empty if it is invalid."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    kind = fields.get("type") if isinstance(fields, dict) else None
    return kind if isinstance(kind, str) else ""
