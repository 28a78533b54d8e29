"""Deepgram's routes."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from quest22.server.deepgram.live import listen
from quest22.server.deepgram.recording import RecordingEndpoint
from quest22.server.service import Service

PATH = "/v1/listen"


def routes(service: Service) -> list[BaseRoute]:
    """``/v1/listen``, for live audio and for recordings."""

    async def live(websocket: WebSocket) -> None:
        await listen(service, websocket)

    return [
        WebSocketRoute(PATH, live),
        Route(PATH, RecordingEndpoint(service), methods=["POST"]),
    ]
