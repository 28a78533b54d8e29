"""What the log says of requests."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from quest22.server.operations.request_context import RequestContext
from quest22.server.operations.request_log import requests_log


class LoggedRequests(logging.Handler):
    """All requests that have ended since it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[RequestContext] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.context)  # type: ignore[attr-defined]

    def wait(self, count: int) -> list[RequestContext]:
        """All, once there are so many: a line is written after the client has its answer."""
        for _ in range(500):
            if len(self.found) >= count:
                break
            time.sleep(0.02)
        return self.found


@contextmanager
def logged_requests() -> Iterator[LoggedRequests]:
    """Those of the requests that end in this block."""
    logged, level = LoggedRequests(), requests_log.level
    requests_log.addHandler(logged)
    requests_log.setLevel(logging.INFO)
    try:
        yield logged
    finally:
        requests_log.removeHandler(logged)
        requests_log.setLevel(level)
