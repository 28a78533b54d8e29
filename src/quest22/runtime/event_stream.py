"""Events from the loop's thread to one consumer in another thread, or in asynchronous code."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeAlias, TypeVar

Event = TypeVar("Event")
Waiter: TypeAlias = "tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]"


class EventStream(Generic[Event]):
    """Iterate it, also with ``async for``, for its events as they come, until it is closed.

    Each event is delivered once, so only one consumer may iterate. ``add`` puts an event among
    those that nobody has taken yet: it may replace some of them.
    """

    def __init__(self, add: Callable[[deque[Event], Event], None]) -> None:
        self._add = add
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._closed = False
        self._waiters: list[Waiter] = []

    def put(self, event: Event) -> None:
        """Deliver an event."""
        with self._changed:
            self._add(self._events, event)
        self._wake()

    def close(self) -> None:
        """No more events will come: whoever iterates ends after those that wait."""
        self._closed = True
        self._wake()

    @property
    def closed(self) -> bool:
        """Whether no more events will come."""
        return self._closed

    def wait_closed(self, timeout_s: float | None = None) -> bool:
        """Wait until it is closed; False if it is not after ``timeout_s`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed, timeout_s)

    def __iter__(self) -> Iterator[Event]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._events or self._closed)
                if not self._events:
                    return
                event = self._events.popleft()
            yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            with self._changed:
                events = [self._events.popleft()] if self._events else []
                if not events and self._closed:
                    return
                came = None if events else self._event_comes()
            for event in events:
                yield event
            if came is not None:
                await came

    def _event_comes(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiters.append((loop, future))
        return future

    def _wake(self) -> None:
        with self._changed:
            waiters, self._waiters = self._waiters, []
            self._changed.notify_all()
        for loop, future in waiters:
            with suppress(RuntimeError):  # that event loop is closed
                loop.call_soon_threadsafe(_end, future)


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
