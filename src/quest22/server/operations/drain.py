"""Graceful shutdown: tells open sessions to end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

_log = logging.getLogger("quest22.server")

Closer: TypeAlias = Callable[[], Awaitable[None]]
"""Stops accepting a client's audio and finalizes what was said."""


class Drain:
    """Tells open sessions that the server is shutting down; for use in one event loop.

    ``begun`` is set once the shutdown has begun.
    """

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self._closers: dict[object, Closer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Call the closer of every open session, each in a task of its own."""
        if not self.begun.is_set():
            self.begun.set()
            for closer in list(self._closers.values()):
                self._call(closer)

    @asynccontextmanager
    async def registered(self, closer: Closer) -> AsyncIterator[None]:
        """Call ``closer`` when the shutdown begins, or at once if it has begun."""
        key = object()
        self._closers[key] = closer
        if self.begun.is_set():
            self._call(closer)
        try:
            yield
        finally:
            del self._closers[key]

    def _call(self, closer: Closer) -> None:
        task = asyncio.ensure_future(_closed(closer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _closed(closer: Closer) -> None:
    """A failing closer must not affect other sessions."""
    try:
        await closer()
    except Exception:
        _log.exception("a session could not be ended as the server shuts down")
