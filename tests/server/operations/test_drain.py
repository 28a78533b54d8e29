"""The polite end of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from quest22.server.operations.drain import Drain


def closer(called: list[str], name: str) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        called.append(name)
        if name == "bad":
            raise ValueError

    return close


def test_open_sessions_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []

    async def run() -> None:
        drain = Drain()
        async with drain.registered(closer(called, "gone")):
            assert not drain.begun.is_set()
        async with (
            drain.registered(closer(called, "bad")),
            drain.registered(closer(called, "open")),
        ):
            drain.begin()
            drain.begin()
            await drain.begun.wait()
            await asyncio.sleep(0)
            async with drain.registered(closer(called, "late")):
                await asyncio.sleep(0)

    asyncio.run(run())
    assert called == ["bad", "open", "late"]
    assert "could not be ended" in caplog.text
