"""Why a request is not served: every protocol says it in its own shape."""

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
"""When to try again where no better guess is known."""


class Refusal(Exception):  # noqa: N818 -- no error of ours: the answer to a request
    """A request is not served.

    ``message`` is one line for whoever sent it, ``parameter`` the field at fault, ``retry_after_s``
    when to try again, if that may help.
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
        """``Retry-After``, where that may help."""
        if self.retry_after_s is None:
            return {}
        return {"Retry-After": str(max(1, round(self.retry_after_s)))}


def refused(
    refusal: Refusal,
    body: Mapping[str, Any],
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer to a request that is refused, in the shape of a protocol; the log has the reason.

    ``status`` is for a protocol whose status for this reason is another one.
    """
    current_request().reason = refusal.reason
    every = {**refusal.headers, **(headers or {})}
    return JSONResponse(body, refusal.status if status is None else status, every)


def shutting_down() -> Refusal:
    """Why a server that ends takes nothing on, and does not finish what it has cancelled."""
    return Refusal("draining", "the server is shutting down", retry_after_s=RETRY_S)


def server_failed(request_id: str) -> Refusal:
    """What a client is told of an error that nobody foresaw."""
    return Refusal("failed", f"the server failed; its log says why, at {request_id}")
