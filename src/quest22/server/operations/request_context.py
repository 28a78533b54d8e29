"""The context of the current request, for its log line."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field

_current: ContextVar[RequestContext] = ContextVar("request")


@dataclass(slots=True, eq=False)
class RequestContext:
    """One request. ``caller`` is a key's name or an address, ``reason`` why it was refused.

    ``status`` is HTTP's, or a websocket's close code. Contains no text and no keys.
    """

    request_id: str = ""
    api: str = ""
    method: str = ""
    path: str = ""
    caller: str = ""
    audio_s: float = 0.0
    status: int = 0
    reason: str = ""
    began_s: float = field(default_factory=time.monotonic)

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since it began."""
        return round((time.monotonic() - self.began_s) * 1000)


def set_request(context: RequestContext) -> None:
    """Set the request that this task, and the tasks it starts, serve."""
    _current.set(context)


def current_request() -> RequestContext:
    """The request that this task serves; outside of requests, a new context that is never read."""
    return _current.get(None) or RequestContext()
