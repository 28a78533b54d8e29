"""Runs the server's background tasks: periodic work, and loading the first model."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from quest22.errors import Quest22Error
from quest22.server.models import ModelPool

_log = logging.getLogger("quest22.server")


async def every(seconds: float, step: Callable[[], Awaitable[None] | None]) -> None:
    """Run ``step`` periodically until this task is cancelled; failures are logged."""
    while True:
        await asyncio.sleep(seconds)
        try:
            result = step()
            if result is not None:
                await result
        except Exception:
            _log.exception("a periodic task of the server failed; it will run again")


@asynccontextmanager
async def background(*work: Awaitable[None]) -> AsyncIterator[None]:
    """Run tasks while the block runs, then cancel them."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def preload(models: ModelPool, on_end: Callable[[Quest22Error | None], None]) -> None:
    """Load the first model, then call ``on_end`` with the error, or with None."""
    try:
        await models.get(models.names[0])
    except Quest22Error as exc:
        on_end(exc)
    else:
        on_end(None)
