"""Work in a thread that may be left behind: nobody can interrupt one that loads a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Protocol, TypeVar


class Closable(Protocol):
    """What the work returns."""

    def close(self) -> None: ...


Result = TypeVar("Result", bound=Closable)


class AbandonableThreads:
    """Runs work in daemon threads; for use in one event loop.

    A caller that is cancelled goes on at once, and what the thread returns later is closed by it.
    """

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()

    @property
    def are_running(self) -> bool:
        """Whether any works, wanted or not."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        return bool(self._threads)

    async def run(self, work: Callable[[], Result], name: str) -> Result:
        """What the work returns, or raises."""
        future: Future[Result] = Future()
        thread = threading.Thread(target=_work, args=(work, future), name=name, daemon=True)
        self._threads.add(thread)
        thread.start()
        return await asyncio.wrap_future(future)


def _work(work: Callable[[], Result], future: Future[Result]) -> None:
    try:
        result = work()
    except BaseException as exc:
        with suppress(InvalidStateError):
            future.set_exception(exc)
        return
    try:
        future.set_result(result)
    except InvalidStateError:  # nobody waits any more
        result.close()
