"""Waits for room without a thread: there are few of them, and many who may have to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

AGAIN_S = 0.02
"""How often it is looked: a fraction of the sound that fits into the room."""


class HasRoom(Protocol):
    """What is fed, and may be full."""

    @property
    def has_room(self) -> bool:
        """Whether feeding would not wait."""
        ...


async def room_in(fed: HasRoom) -> None:
    """Wait until feeding does not wait."""
    await until(lambda: fed.has_room)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread brings about."""
    while not condition():
        await asyncio.sleep(AGAIN_S)
