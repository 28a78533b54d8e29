"""A caller's view of a clip in a loop: its events, its result, and feeding its audio."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

from quest22.records import Failure, Samples, Transcript
from quest22.runtime.audio_input import AudioQueue
from quest22.runtime.scheduler import ClipDone, ClipProgressed, Event

Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class ClipHandle:
    """One clip in a loop. Safe to use from several threads.

    Iterate it, also with ``async for``, for its events as they come: :class:`ClipProgressed` while
    it grows, :class:`ClipDone` at its end. If several progress events are waiting, only the last is
    delivered. Each event is delivered once, so only one consumer may iterate; any number may call
    ``result``.
    """

    def __init__(self, key: str, cancel: Callable[[], None]) -> None:
        self.key = key
        self._cancel = cancel
        self._changed = threading.Condition()
        self._events: deque[Event] = deque()
        self._result: Transcript | Failure | None = None
        self._waiters: list[Waiter] = []

    @property
    def done(self) -> bool:
        """Whether the clip has ended."""
        return self._result is not None

    def cancel(self) -> None:
        """End the clip as a Failure of stage ``cancelled``, unless it has ended already."""
        self._cancel()

    def result(self, timeout_s: float | None = None) -> Transcript | Failure:
        """Wait for the clip's end. Raises :class:`TimeoutError` after ``timeout_s`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._result is not None, timeout_s)
            if self._result is None:
                raise TimeoutError(f"{self.key}: no result within {timeout_s} s")
            return self._result

    def __iter__(self) -> Iterator[Event]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._events or self._result is not None)
                if not self._events:
                    return
                event = self._events.popleft()
            yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            with self._changed:
                event = self._events.popleft() if self._events else None
                if event is None and self._result is not None:
                    return
                came = None if event else self._event_comes()
            if event is not None:
                yield event
            elif came is not None:
                await came

    def _event_comes(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiters.append((loop, future))
        return future

    def put(self, event: Event) -> None:
        """Deliver an event; called by the loop."""
        with self._changed:
            last = self._events[-1] if self._events else None
            if isinstance(last, ClipProgressed) and isinstance(event, ClipProgressed):
                self._events.pop()
            self._events.append(event)
            if isinstance(event, ClipDone):
                self._result = event.result
            waiters, self._waiters = self._waiters, []
            self._changed.notify_all()
        for loop, future in waiters:
            with suppress(RuntimeError):  # that event loop is closed
                loop.call_soon_threadsafe(_wake, future)


class Session(ClipHandle):
    """A clip whose audio is fed as it arrives."""

    def __init__(self, key: str, cancel: Callable[[], None], sound: AudioQueue) -> None:
        super().__init__(key, cancel)
        self._sound = sound

    def feed(self, samples: Samples) -> bool:
        """Feed a block, mono float32 at 16 kHz; waits while too much audio is buffered.

        False if the clip has ended and needs no more audio. In asynchronous code, call it with
        ``asyncio.to_thread``, or only if ``has_room``.
        """
        return self._sound.feed(samples)

    def flush(self) -> None:
        """The audio has ended."""
        self._sound.flush()

    @property
    def has_room(self) -> bool:
        """Whether ``feed`` would not wait."""
        return self._sound.has_room


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
