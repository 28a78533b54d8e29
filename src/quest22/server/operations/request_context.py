"""What the log will say of a request: who, what, how much, and how it ended."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field

_current: ContextVar[RequestContext] = ContextVar("request")


@dataclass(slots=True, eq=False)
class RequestContext:
    """One request. ``caller`` is a key's name or an address, ``reason`` why it was refused.

    ``status`` is that of HTTP, or of a websocket's close. Never what was said, never a key.
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
        """Since it began."""
        return round((time.monotonic() - self.began_s) * 1000)


def set_request(context: RequestContext) -> None:
    """From now on, in this task and those it starts, the request is this one."""
    _current.set(context)


def current_request() -> RequestContext:
    """That of the request that this task serves; outside of one, a new one that nobody reads."""
    return _current.get(None) or RequestContext()
