"""Runs work in threads that can be abandoned: loading a model cannot be interrupted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Protocol, TypeVar


class Closable(Protocol):
    """The type of results."""

    def close(self) -> None: ...


Result = TypeVar("Result", bound=Closable)


class AbandonableThreads:
    """Runs work in daemon threads; for use in one event loop.

    A cancelled caller continues at once; the thread then closes the result itself.
    """

    def __init__(self) -> None:
        self._threads: set[threading.Thread] = set()

    @property
    def are_running(self) -> bool:
        """Whether any thread is running, abandoned or not."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        return bool(self._threads)

    async def run(self, work: Callable[[], Result], name: str) -> Result:
        """Run ``work`` in a new thread; returns or raises what it does."""
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
    except InvalidStateError:  # the caller was cancelled
        result.close()
