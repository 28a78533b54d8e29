"""Why a request is refused; each protocol converts this to its own error format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from starlette.responses import JSONResponse

from quest22.server.operations.request_context import current_request

Reason: TypeAlias = Literal[
    "bad_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "unknown_model",
    "too_large",
    "too_long",
    "stalled",
    "unreadable_audio",
    "rate_limited",
    "overloaded",
    "storage_full",
    "draining",
    "failed",
]

STATUS: dict[Reason, int] = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "unknown_model": 404,
    "too_large": 413,
    "too_long": 413,
    "stalled": 408,
    "unreadable_audio": 400,
    "rate_limited": 429,
    "overloaded": 503,
    "storage_full": 503,
    "draining": 503,
    "failed": 500,
}
"""Reason → HTTP status."""

RETRY_S = 5.0
"""The default for ``Retry-After``."""


class Refusal(Exception):  # noqa: N818 -- the response to a request, not an error of ours
    """A request is refused.

    ``message`` is one line for the client, ``parameter`` the field at fault, ``retry_after_s`` when
    to try again, if that may help.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        parameter: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.parameter = parameter
        self.retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.reason]

    @property
    def headers(self) -> dict[str, str]:
        """``Retry-After``, if known."""
        if self.retry_after_s is None:
            return {}
        return {"Retry-After": str(max(1, round(self.retry_after_s)))}


def refusal_response(
    refusal: Refusal,
    body: Mapping[str, Any],
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response to a refused request, with a protocol's ``body``; notes the reason for the log.

    ``status`` is for protocols that use another status for this reason.
    """
    current_request().reason = refusal.reason
    every = {**refusal.headers, **(headers or {})}
    return JSONResponse(body, refusal.status if status is None else status, every)


def shutting_down() -> Refusal:
    """The refusal of new and cancelled requests during shutdown."""
    return Refusal("draining", "the server is shutting down", retry_after_s=RETRY_S)


def server_failed(request_id: str) -> Refusal:
    """The response to an unexpected error."""
    return Refusal("failed", f"the server failed; its log says why, at {request_id}")
