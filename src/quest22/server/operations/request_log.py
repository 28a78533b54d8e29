"""Gives each request an id, and writes a line about it when it ends."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quest22.server.operations.request_note import RequestNote, begin_note
from quest22.server.operations.server_metrics import ServerMetrics
from quest22.source.io.address import redact_text

REQUEST_ID = "x-request-id"
UNIX = "unix"
"""The address of whoever comes by a Unix socket."""

MAX_PATH_CHARACTERS = 200
QUIET_PATHS = frozenset({"/health", "/ready", "/metrics"})
"""Asked every few seconds by those who watch: told only if the answer is an error."""

LOST = 1006
"""A websocket that ended without a close."""

_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
_SHAPE = re.compile(r"[^/a-z0-9_.-]", re.IGNORECASE)

requests_log = logging.getLogger("quest22.server.requests")
"""One record for each request, with the note as ``record.note``."""


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
        note = _note(scope)
        scope.setdefault("state", {})["request_id"] = note.request_id
        begin_note(note)
        ending = _Ending(note, receive, send)
        try:
            await self._app(scope, ending.receive, ending.send)
        except Exception:
            note.status = note.status or 500
            note.reason = note.reason or "failed"
            raise
        finally:
            if scope["type"] == "websocket" and note.status in (0, 101):
                note.status = LOST
            if not note.reason and 400 <= note.status < 600:
                note.reason = _phrase(note.status)
            self._metrics.count_request(note.api, note.status)
            if note.path not in QUIET_PATHS or note.status >= 400:
                requests_log.info("%s", note.path, extra={"note": note})


class _Ending:
    """Watches how a request ends, and puts its id into the answer's headers."""

    def __init__(self, note: RequestNote, receive: Receive, send: Send) -> None:
        self._note = note
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect" and self._note.status in (0, 101):
            self._note.status = message.get("code") or LOST
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            headers = MutableHeaders(scope={"headers": list(message.get("headers", []))})
            headers.setdefault(REQUEST_ID, self._note.request_id)
            message = {**message, "headers": headers.raw}
            self._note.status = message.get("status", 101)
        elif kind == "websocket.close":
            self._note.status = message.get("code", 1000) if self._note.status else 403
        await self._send(message)


def _note(scope: Scope) -> RequestNote:
    given = Headers(scope=scope).get(REQUEST_ID, "")
    path = scope["path"]
    return RequestNote(
        request_id=given if _ID.fullmatch(given) else f"req_{secrets.token_hex(12)}",
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


class TextLines(logging.Formatter):
    """``quest22: 200 POST /v1/audio/transcriptions desk 12.4 s of sound in 840 ms req_…``."""

    def format(self, record: logging.LogRecord) -> str:
        note = getattr(record, "note", None)
        if not isinstance(note, RequestNote):
            return super().format(record)
        parts = [str(note.status), note.method, note.path, note.caller or "-"]
        if note.audio_s:
            parts.append(f"{note.audio_s:.1f} s of sound")
        parts.append(f"in {note.elapsed_ms} ms")
        if note.reason:
            parts.append(note.reason)
        return " ".join(["quest22:", *parts, note.request_id])


class JsonLines(logging.Formatter):
    """One JSON object a line, for whatever is logged."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, Any] = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        note = getattr(record, "note", None)
        if isinstance(note, RequestNote):
            line |= request_fields(note)
        else:
            line |= {
                "event": "message",
                "logger": record.name,
                "message": redact_text(record.getMessage()),
            }
            if record.exc_info:
                line["exception"] = redact_text(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True)


def request_fields(note: RequestNote) -> dict[str, Any]:
    """What a request's line holds."""
    fields = {
        "event": "request",
        "request_id": note.request_id,
        "caller": note.caller,
        "api": note.api,
        "method": note.method,
        "path": note.path,
        "status": note.status,
        "audio_s": round(note.audio_s, 3),
        "ms": note.elapsed_ms,
    }
    return fields | ({"reason": note.reason} if note.reason else {})


def say_as_json(text: str) -> None:
    """A line for people where all lines are JSON."""
    record = logging.LogRecord("quest22.server", logging.INFO, "", 0, text, None, None)
    sys.stderr.write(JsonLines().format(record) + "\n")
    sys.stderr.flush()


def log_requests(form: str) -> None:
    """Write a line for each request on standard error; ``json``: whatever else is logged, too."""
    requests_log.propagate = False
    for handler in list(requests_log.handlers):
        requests_log.removeHandler(handler)
    if form == "off":
        requests_log.setLevel(logging.CRITICAL)
        return
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(JsonLines() if form == "json" else TextLines())
    requests_log.addHandler(shown)
    requests_log.setLevel(logging.INFO)
    if form == "json":
        _write_all_as_json()


def _write_all_as_json() -> None:
    """What else the process logs, too, as far as it was told before."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(JsonLines())
        lines.setLevel(handler.level)
        for each in handler.filters:
            lines.addFilter(each)
        root.removeHandler(handler)
        root.addHandler(lines)
