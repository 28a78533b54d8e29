"""Deepgram's error responses: a body of three fields, and the ``dg-error`` header."""

from __future__ import annotations

from starlette.responses import JSONResponse

from quest22.server.refusal import Reason, Refusal, refusal_response

CODES: dict[Reason, str] = {
    "bad_request": "Bad Request",
    "unauthorized": "INVALID_AUTH",
    "forbidden": "INSUFFICIENT_PERMISSIONS",
    "not_found": "NOT_FOUND",
    "unknown_model": "Bad Request",
    "too_large": "PAYLOAD_TOO_LARGE",
    "too_long": "PAYLOAD_TOO_LARGE",
    "stalled": "REQUEST_TIMEOUT",
    "unreadable_audio": "Bad Request",
    "rate_limited": "TOO_MANY_REQUESTS",
    "overloaded": "SERVICE_UNAVAILABLE",
    "storage_full": "SERVICE_UNAVAILABLE",
    "draining": "SERVICE_UNAVAILABLE",
    "failed": "INTERNAL_SERVER_ERROR",
}
"""Reason → ``err_code``."""

BAD_MODEL_STATUS = 400
"""Deepgram's status for an unknown model."""


def deepgram_error_response(refusal: Refusal, request_id: str) -> JSONResponse:
    """A refusal as Deepgram's error response."""
    message = refusal.message
    status = BAD_MODEL_STATUS if refusal.reason == "unknown_model" else refusal.status
    body = {"err_code": CODES[refusal.reason], "err_msg": message, "request_id": request_id}
    headers = {**request_id_header(request_id), "dg-error": _in_header(message)}
    return refusal_response(refusal, body, status=status, headers=headers)


def request_id_header(request_id: str) -> dict[str, str]:
    """The header that names a request."""
    return {"dg-request-id": request_id}


def _in_header(message: str) -> str:
    """Reduce to one line of ASCII."""
    return message.encode("ascii", "replace").decode().replace("\n", " ").replace("\r", " ")
