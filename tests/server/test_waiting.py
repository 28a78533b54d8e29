"""Whoever waits for room takes no thread."""

from __future__ import annotations

import asyncio

from quest22.capture.raw_pcm import RawFormat
from quest22.server.live_feed import RawFeed

MANY = 200
"""More than there are threads."""
PATIENCE_S = 20


class Session:
    """One that is full at first."""

    has_room = False

    def __init__(self) -> None:
        self.fed = 0

    def feed(self, samples: object, _: float) -> bool:
        assert self.has_room
        self.fed += len(samples)  # type: ignore[arg-type]
        return True


def test_many_that_wait_leave_threads_to_others() -> None:
    async def work() -> None:
        sessions = [Session() for _ in range(MANY)]
        raw = RawFormat("s16le", 16_000, 1)
        feeds = [RawFeed(session, raw) for session in sessions]  # type: ignore[arg-type]
        waiting = [asyncio.create_task(feed.feed(bytes(320))) for feed in feeds]
        await asyncio.sleep(0)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "served"), PATIENCE_S) == "served"
        assert not any(task.done() for task in waiting)
        for session in sessions:
            session.has_room = True
        assert all(await asyncio.gather(*waiting))
        assert [session.fed for session in sessions] == [160] * MANY

    asyncio.run(work())
