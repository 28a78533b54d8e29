"""Waits by polling in the event loop: worker threads are few, waiting clients may be many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

POLL_INTERVAL_S = 0.02
"""Short compared to the buffers that are waited for."""


class HasRoom(Protocol):
    """A buffer that may be full."""

    @property
    def has_room(self) -> bool:
        """Whether feeding would not block."""
        ...


async def wait_for_room(fed: HasRoom) -> None:
    """Wait until feeding does not block."""
    await wait_until(lambda: fed.has_room)


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that another thread changes."""
    while not condition():
        await asyncio.sleep(POLL_INTERVAL_S)
