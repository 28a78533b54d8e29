"""Work in threads that may be left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from quest22.server.abandonable import AbandonableThreads


class Result:
    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


def test_what_the_work_returns_or_raises() -> None:
    def fail() -> Result:
        raise OSError("no disk")

    async def run() -> None:
        threads, result = AbandonableThreads(), Result()
        assert await threads.run(lambda: result, "work") is result
        assert not result.closed.is_set()
        with pytest.raises(OSError, match="no disk"):
            await threads.run(fail, "work")

    asyncio.run(run())


@pytest.mark.parametrize("fails", [False, True])
def test_who_is_cancelled_waits_for_nothing_and_the_result_is_closed(fails: bool) -> None:
    may, result = threading.Event(), Result()

    def slow() -> Result:
        assert may.wait(10)
        if fails:
            raise OSError("no disk")
        return result

    async def run(threads: AbandonableThreads) -> None:
        working = asyncio.ensure_future(threads.run(slow, "work"))
        await asyncio.sleep(0)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert threads.are_running

    threads = AbandonableThreads()
    asyncio.run(run(threads))
    may.set()
    wait_until(lambda: not threads.are_running)
    assert result.closed.is_set() == (not fails)


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError
