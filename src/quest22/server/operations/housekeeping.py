"""What a server does by itself: keys that have changed, idle models, sound that live sessions took.

Each task goes on when one of its rounds fails; the log says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from quest22.errors import Quest22Error
from quest22.runtime.live_session import LiveSession
from quest22.server.access.gate import Visit
from quest22.server.models import ModelPool

_log = logging.getLogger("quest22.server")

KEYS_S, METERS_S = 2.0, 1.0


class LiveMeters:
    """Counts the sound of live sessions on their visits while it comes."""

    def __init__(self) -> None:
        self._open: dict[LiveSession, tuple[Visit, float]] = {}

    def add(self, session: LiveSession, visit: Visit) -> None:
        """Count this session from now on."""
        self._open[session] = visit, session.fed_s

    def remove(self, session: LiveSession) -> None:
        """Count what has come since the last time; the session has ended."""
        self._read(session)
        self._open.pop(session, None)

    def read(self) -> None:
        """Count what has come to all."""
        for session in list(self._open):
            self._read(session)

    def _read(self, session: LiveSession) -> None:
        if session in self._open:
            visit, counted_s = self._open[session]
            fed_s = session.fed_s
            self._open[session] = visit, fed_s
            visit.count_audio(fed_s - counted_s)


async def every(seconds: float, step: Callable[[], Awaitable[None] | None]) -> None:
    """Do something again and again, until this task is cancelled."""
    while True:
        await asyncio.sleep(seconds)
        try:
            result = step()
            if result is not None:
                await result
        except Exception:
            _log.exception("the server's housekeeping has failed, and is tried again")


@asynccontextmanager
async def background(*work: Awaitable[None]) -> AsyncIterator[None]:
    """Do some work beside the block, and end it with that."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def preload(models: ModelPool, on_end: Callable[[Quest22Error | None], None]) -> None:
    """Load the first model; ``on_end`` is told what went wrong, if that."""
    try:
        await models.get(models.names[0])
    except Quest22Error as exc:
        on_end(exc)
    else:
        on_end(None)
