"""Why a request is not served: every protocol says it in its own shape."""

from __future__ import annotations

from typing import Literal, TypeAlias

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
    "draining": 503,
    "failed": 500,
}
"""Reason → HTTP status."""


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
