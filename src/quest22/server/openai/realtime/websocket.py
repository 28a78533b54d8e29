"""``/v1/realtime``: events over a websocket.

Clients that are refused get an HTTP status at the handshake. The socket is read only as fast as the
audio is transcribed, so a client that sends too fast has to wait; events wait for a slow reader.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.status import WS_1001_GOING_AWAY, WS_1011_INTERNAL_ERROR, WS_1012_SERVICE_RESTART
from starlette.websockets import WebSocket, WebSocketDisconnect

from quest22.server.access.credentials import (
    header_key,
    peer_address,
    subprotocol_key,
    subprotocols,
)
from quest22.server.access.gate import Admission, Caller
from quest22.server.openai.errors import openai_error_response
from quest22.server.openai.realtime.session import RealtimeSession
from quest22.server.openai.realtime.settings import SessionSettings
from quest22.server.operations.request_context import current_request
from quest22.server.refusal import Refusal
from quest22.server.service import Service

_log = logging.getLogger("quest22.server")

SUBPROTOCOL = "realtime"
KEY_SUBPROTOCOL = "openai-insecure-api-key."
BETA_SUBPROTOCOL, BETA_HEADER = "openai-beta.realtime-v1", "realtime=v1"

HANDSHAKE_TIMEOUT_S = 4.0
"""Clients wait at most 10 s for the handshake; a model may take longer to load."""

YIELD_AFTER_MESSAGES = 16
"""Other connections get a turn after this many messages in a row."""


Identify: TypeAlias = Callable[["str | None", str], tuple[Caller, "Mapping[str, Any] | None"]]
"""Key and address → the caller, and the session's settings if the key is a client secret."""


def routes(service: Service, identify: Identify) -> list[BaseRoute]:
    """The websocket route."""

    async def realtime(websocket: WebSocket) -> None:
        try:
            caller, given = identify(key_of(websocket), peer_address(websocket.scope))
            with service.gate.admit(caller, "live") as admission:
                settings = SessionSettings().updated(given or {})
                await _Connection(service, admission, websocket, settings).serve()
        except Refusal as refusal:
            await websocket.send_denial_response(openai_error_response(refusal))

    return [WebSocketRoute("/v1/realtime", realtime)]


def key_of(websocket: WebSocket) -> str | None:
    """The key in the header or, from a browser, among the subprotocols."""
    scope = websocket.scope
    return subprotocol_key(scope, KEY_SUBPROTOCOL) or header_key(scope)


def is_beta(connection: HTTPConnection) -> bool:
    """Whether the client uses the beta."""
    named = connection.headers.get("openai-beta", "").replace(" ", "").split(",")
    return BETA_HEADER in named or BETA_SUBPROTOCOL in subprotocols(connection.scope)


class _Connection:
    """The connection of one admitted client."""

    def __init__(
        self,
        service: Service,
        admission: Admission,
        websocket: WebSocket,
        settings: SessionSettings,
    ) -> None:
        self._service = service
        self._websocket = websocket
        self._session = RealtimeSession(
            service,
            admission,
            websocket.query_params.get("model"),
            self._send,
            settings=settings,
            is_beta=is_beta(websocket),
        )

    async def serve(self) -> None:
        """Serve the client to the end. Raises :class:`Refusal` only before the handshake."""
        offers_ours = SUBPROTOCOL in subprotocols(self._websocket.scope)
        preparing = asyncio.create_task(self._session.prepare())
        try:
            done, _ = await asyncio.wait([preparing], timeout=HANDSHAKE_TIMEOUT_S)
            for each in done:
                each.result()
            await self._websocket.accept(SUBPROTOCOL if offers_ours else None)
            await self._converse(preparing)
        except (ConnectionError, WebSocketDisconnect):
            return  # the client has disconnected
        finally:
            await _cancelled(preparing)
            await self._session.close()

    async def _converse(self, preparing: asyncio.Task[None]) -> None:
        await self._session.begin()
        try:
            await preparing
        except Refusal as exc:
            _log.error("a Realtime session cannot begin: %s", exc.message)
            current_request().reason = exc.reason
            await self._websocket.close(WS_1011_INTERNAL_ERROR)
            return
        async with self._service.session_registered(self._session.drain):
            reading = asyncio.create_task(self._read())
            ended = asyncio.create_task(self._session.has_ended.wait())
            await asyncio.wait([reading, ended], return_when=asyncio.FIRST_COMPLETED)
            code = reading.result() if reading.done() else WS_1011_INTERNAL_ERROR
            if code == WS_1001_GOING_AWAY:
                current_request().reason = "stalled"
                await self._session.expire(self._service.settings.session_idle_s)
            if code is not None:
                draining = self._service.draining.is_set()
                await self._websocket.close(WS_1012_SERVICE_RESTART if draining else code)
            await _cancelled(reading)
            await _cancelled(ended)

    async def _read(self) -> int | None:
        """Handle messages until no more come.

        Returns the code to close with: 1001 if the client has sent nothing for too long, 1011 if
        the session cannot go on; None if the client has disconnected.
        """
        messages = 0
        while True:
            try:
                async with asyncio.timeout(self._service.settings.session_idle_s):
                    message = await self._websocket.receive()
            except TimeoutError:
                return WS_1001_GOING_AWAY
            if message["type"] == "websocket.disconnect":
                return None
            text = message.get("text")
            try:
                await self._session.receive_text(message["bytes"] if text is None else text)
            except ConnectionError:
                return None
            except Refusal as exc:
                current_request().reason = exc.reason
                return WS_1011_INTERNAL_ERROR
            messages += 1
            if messages % YIELD_AFTER_MESSAGES == 0:
                await asyncio.sleep(0)

    async def _send(self, event: dict[str, Any]) -> None:
        try:
            await self._websocket.send_text(json.dumps(event))
        except (WebSocketDisconnect, RuntimeError) as exc:
            raise ConnectionError("the client has disconnected") from exc


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task whose result is not needed."""
    task.cancel()
    await asyncio.wait([task])
