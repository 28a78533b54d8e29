"""Gives each request an id and logs it when it ends."""

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
"""Stands for the address of clients of a Unix socket."""

MAX_PATH_CHARACTERS = 200
QUIET_PATHS = frozenset({"/health", "/ready", "/metrics"})
"""Polled by monitoring; logged only if the response is an error."""

ABNORMAL_CLOSURE = 1006
"""The websocket ended without a close frame."""

CLOSE_REASONS = {
    WS_1008_POLICY_VIOLATION: "bad_request",
    WS_1009_MESSAGE_TOO_BIG: "too_large",
    WS_1011_INTERNAL_ERROR: "failed",
    WS_1012_SERVICE_RESTART: "draining",
}
"""Close code → reason, unless the protocol gave a more precise one."""

_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
_SHAPE = re.compile(r"[^/a-z0-9_.-]", re.IGNORECASE)

requests_log = logging.getLogger("quest22.server.requests")
"""One record per request, with its context as ``record.context``."""


class RequestLog:
    """ASGI middleware."""

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
                context.status = ABNORMAL_CLOSURE
            log_request(context, self._metrics)


class _Outcome:
    """Observes how a request ends, and adds its id to the response headers."""

    def __init__(self, context: RequestContext, receive: Receive, send: Send) -> None:
        self._context = context
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and self._context.status in (0, 101):
            self._context.status = message.get("code") or ABNORMAL_CLOSURE
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
        if not self._context.status:  # before the handshake
            self._context.status = 403
            return
        self._context.status = code
        self._context.reason = self._context.reason or CLOSE_REASONS.get(code, "")


def log_request(context: RequestContext, metrics: ServerMetrics) -> None:
    """Count and log a request that has ended."""
    if not context.reason and 400 <= context.status < 600:
        context.reason = _phrase(context.status)
    metrics.count_request(context.api, context.status)
    if context.path not in QUIET_PATHS or context.status >= 400:
        requests_log.info("%s", context.path, extra={"context": context})


def new_request_id() -> str:
    """A new unique id."""
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
    """The reason phrase of an HTTP status, for errors without a reason."""
    try:
        return HTTPStatus(status).phrase.lower().replace(" ", "_")
    except ValueError:
        return "failed"


def api_of(path: str) -> str:
    """The protocol of a path; one of a small set, because it labels metrics."""
    if path.startswith("/v1/listen"):
        return "deepgram"
    if path.startswith("/v1/realtime"):
        return "realtime"
    if path.startswith("/v1/"):
        return "openai"
    if path == "/live":
        return "live"
    return "operations" if path in QUIET_PATHS else "page"
