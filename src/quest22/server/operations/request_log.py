"""Gives each request an id, and writes a line about it when it ends."""

from __future__ import annotations

import logging
import re
import secrets
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.status import (
    WS_1008_POLICY_VIOLATION,
    WS_1009_MESSAGE_TOO_BIG,
    WS_1011_INTERNAL_ERROR,
    WS_1012_SERVICE_RESTART,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quest22.server.operations.request_context import RequestContext, set_request
from quest22.server.operations.server_metrics import ServerMetrics

REQUEST_ID = "x-request-id"
UNIX = "unix"
"""The address of whoever comes by a Unix socket."""

MAX_PATH_CHARACTERS = 200
QUIET_PATHS = frozenset({"/health", "/ready", "/metrics"})
"""Asked every few seconds by those who watch: told only if the answer is an error."""

LOST = 1006
"""A websocket that ended without a close."""

CLOSE_REASONS = {
    WS_1008_POLICY_VIOLATION: "bad_request",
    WS_1009_MESSAGE_TOO_BIG: "too_large",
    WS_1011_INTERNAL_ERROR: "failed",
    WS_1012_SERVICE_RESTART: "draining",
}
"""Why this server closed a websocket, where the protocol told no better reason."""

_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
_SHAPE = re.compile(r"[^/a-z0-9_.-]", re.IGNORECASE)

requests_log = logging.getLogger("quest22.server.requests")
"""One record for each request, with the context as ``record.context``."""


class RequestLog:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope["client"] = scope.get("client") or (UNIX, 0)
        context = _context(scope)
        scope.setdefault("state", {})["request_id"] = context.request_id
        set_request(context)
        ending = _Outcome(context, receive, send)
        try:
            await self._app(scope, ending.receive, ending.send)
        except Exception:
            context.status = context.status or 500
            context.reason = context.reason or "failed"
            raise
        finally:
            if scope["type"] == "websocket" and context.status in (0, 101):
                context.status = LOST
            log_request(context, self._metrics)


class _Outcome:
    """Watches how a request ends, and puts its id into the answer's headers."""

    def __init__(self, context: RequestContext, receive: Receive, send: Send) -> None:
        self._context = context
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and self._context.status in (0, 101):
            self._context.status = message.get("code") or LOST
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            headers = MutableHeaders(scope={"headers": list(message.get("headers", []))})
            headers.setdefault(REQUEST_ID, self._context.request_id)
            message = {**message, "headers": headers.raw}
            self._context.status = message.get("status", 101)
        elif kind == "websocket.close":
            self._close(message.get("code", 1000))
        await self._send(message)

    def _close(self, code: int) -> None:
        if not self._context.status:  # before the handshake was answered
            self._context.status = 403
            return
        self._context.status = code
        self._context.reason = self._context.reason or CLOSE_REASONS.get(code, "")


def log_request(context: RequestContext, metrics: ServerMetrics) -> None:
    """Count a request that has ended, and write its line."""
    if not context.reason and 400 <= context.status < 600:
        context.reason = _phrase(context.status)
    metrics.count_request(context.api, context.status)
    if context.path not in QUIET_PATHS or context.status >= 400:
        requests_log.info("%s", context.path, extra={"context": context})


def new_request_id() -> str:
    """One that nobody has yet."""
    return f"req_{secrets.token_hex(12)}"


def _context(scope: Scope) -> RequestContext:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    path = scope["path"]
    return RequestContext(
        request_id=given if _ID.fullmatch(given) else new_request_id(),
        api=api_of(path),
        method=scope.get("method", "WS"),
        path=_SHAPE.sub("?", path[:MAX_PATH_CHARACTERS]) if path.startswith("/") else "-",
    )


def _phrase(status: int) -> str:
    """What HTTP calls an error whose reason nobody told."""
    try:
        return HTTPStatus(status).phrase.lower().replace(" ", "_")
    except ValueError:
        return "failed"


def api_of(path: str) -> str:
    """Which protocol an address belongs to, of a small set: it labels metrics."""
    if path.startswith("/v1/listen"):
        return "deepgram"
    if path.startswith("/v1/realtime"):
        return "realtime"
    if path.startswith("/v1/"):
        return "openai"
    if path == "/live":
        return "live"
    return "operations" if path in QUIET_PATHS else "page"
