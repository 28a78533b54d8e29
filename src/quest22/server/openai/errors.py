"""OpenAI's error format: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from quest22.server.refusal import Reason, Refusal, refusal_response

CLIENT, SERVER, LIMIT = "invalid_request_error", "server_error", "rate_limit_error"
KINDS: dict[Reason, tuple[str, str | None]] = {
    "bad_request": (CLIENT, None),
    "unauthorized": (CLIENT, "invalid_api_key"),
    "forbidden": (CLIENT, "forbidden"),
    "not_found": (CLIENT, None),
    "unknown_model": (CLIENT, "model_not_found"),
    "too_large": (CLIENT, "file_too_large"),
    "too_long": (CLIENT, "audio_too_long"),
    "stalled": (CLIENT, "upload_stalled"),
    "unreadable_audio": (CLIENT, "unreadable_audio"),
    "rate_limited": (LIMIT, "rate_limit_exceeded"),
    "overloaded": (SERVER, "overloaded"),
    "storage_full": (SERVER, "storage_full"),
    "draining": (SERVER, "shutting_down"),
    "failed": (SERVER, None),
}
"""Reason → ``type`` and ``code``."""


def openai_error_response(refusal: Refusal) -> JSONResponse:
    """A refusal as an OpenAI error response."""
    return refusal_response(refusal, error_body(refusal))


def error_body(refusal: Refusal) -> dict[str, Any]:
    """The body of an OpenAI error response."""
    kind, code = KINDS[refusal.reason]
    return {
        "error": {
            "message": refusal.message,
            "type": kind,
            "param": refusal.parameter,
            "code": code,
        }
    }
