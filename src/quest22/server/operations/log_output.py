"""Writes the log to standard error: readable lines, or one JSON object per line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

from quest22.server.operations.log_lines import LogLine, MessageLine, RequestLine
from quest22.server.operations.request_context import RequestContext
from quest22.server.operations.request_log import requests_log
from quest22.source.io.address import redact_text


class TextLines(logging.Formatter):
    """``quest22: 200 POST /v1/audio/transcriptions desk 12.4 s of audio in 840 ms req_…``."""

    def format(self, record: logging.LogRecord) -> str:
        context = getattr(record, "context", None)
        if not isinstance(context, RequestContext):
            return super().format(record)
        parts = [str(context.status), context.method, context.path, context.caller or "-"]
        if context.audio_s:
            parts.append(f"{context.audio_s:.1f} s of audio")
        parts.append(f"in {context.elapsed_ms} ms")
        if context.reason:
            parts.append(context.reason)
        return " ".join(["quest22:", *parts, context.request_id])


class JsonLines(logging.Formatter):
    """Formats every log record as one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self._line(record), ensure_ascii=True)

    def _line(self, record: logging.LogRecord) -> LogLine:
        context = getattr(record, "context", None)
        if isinstance(context, RequestContext):
            return request_line(record, context)
        line: MessageLine = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "event": "message",
            "logger": record.name,
            "message": redact_text(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = redact_text(self.formatException(record.exc_info))
        return line


def request_line(record: logging.LogRecord, context: RequestContext) -> RequestLine:
    """The line of a request that has ended."""
    line: RequestLine = {
        "time": _time(record),
        "level": record.levelname.lower(),
        "event": "request",
        "request_id": context.request_id,
        "caller": context.caller,
        "api": context.api,
        "method": context.method,
        "path": context.path,
        "status": context.status,
        "audio_s": round(context.audio_s, 3),
        "ms": context.elapsed_ms,
    }
    if context.reason:
        line["reason"] = context.reason
    return line


def _time(record: logging.LogRecord) -> str:
    when = datetime.fromtimestamp(record.created, timezone.utc)
    return when.isoformat(timespec="milliseconds")


def say_as_json(text: str, level: int = logging.INFO) -> None:
    """Write a status line as JSON."""
    record = logging.LogRecord("quest22.server", level, "", 0, text, None, None)
    sys.stderr.write(JsonLines().format(record) + "\n")
    sys.stderr.flush()


def log_requests(form: str) -> None:
    """Log each request to standard error; with ``json``, format all other records as JSON too."""
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
    """Replace the root logger's handlers by JSON ones with the same levels and filters."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(JsonLines())
        lines.setLevel(handler.level)
        for each in handler.filters:
            lines.addFilter(each)
        root.removeHandler(handler)
        root.addHandler(lines)
