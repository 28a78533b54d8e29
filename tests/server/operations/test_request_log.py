"""The line about a request that ends."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest

from quest22.server.operations.request_context import RequestContext, current_request
from quest22.server.operations.request_log import RequestLog
from quest22.server.operations.server_metrics import ServerMetrics
from tests.support.logged_requests import logged_requests


def closed(code: int, told: str) -> RequestContext:
    """What the log has of a websocket that the server closes."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        current_request().reason = told
        await send({"type": "websocket.close", "code": code})

    async def nothing(_: Any = None) -> Any:
        return {}

    name = secrets.token_hex(8)
    headers = [(b"x-request-id", name.encode())]
    scope = {"type": "websocket", "path": "/live", "headers": headers, "client": ("127.0.0.1", 1)}
    with logged_requests() as logged:
        asyncio.run(RequestLog(app, ServerMetrics())(scope, nothing, nothing))
    (context,) = (each for each in logged.found if each.request_id == name)
    return context


@pytest.mark.parametrize(
    ("code", "told", "reason"),
    [
        (1000, "", ""),
        (1011, "", "failed"),
        (1011, "unreadable_audio", "unreadable_audio"),
        (1009, "", "too_large"),
        (1012, "", "draining"),
    ],
)
def test_why_the_server_closed_a_websocket(code: int, told: str, reason: str) -> None:
    context = closed(code, told)
    assert (context.status, context.reason) == (code, reason)
