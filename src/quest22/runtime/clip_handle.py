"""A caller's view of a clip in a loop: its events, its result, and feeding its audio."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator

from quest22.records import Failure, Samples, Transcript
from quest22.runtime.audio_input import AudioQueue
from quest22.runtime.event_stream import EventStream
from quest22.runtime.scheduler import ClipDone, ClipHeard, ClipProgressed, Event


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
        self._events: EventStream[Event] = EventStream(_add)
        self._result: Transcript | Failure | None = None

    @property
    def done(self) -> bool:
        """Whether the clip has ended."""
        return self._events.closed

    def cancel(self) -> None:
        """End the clip as a Failure of stage ``cancelled``, unless it has ended already."""
        self._cancel()

    def result(self, timeout_s: float | None = None) -> Transcript | Failure:
        """Wait for the clip's end. Raises :class:`TimeoutError` after ``timeout_s`` seconds."""
        self._events.wait_closed(timeout_s)
        if self._result is None:
            raise TimeoutError(f"{self.key}: no result within {timeout_s} s")
        return self._result

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __aiter__(self) -> AsyncIterator[Event]:
        return aiter(self._events)

    def put(self, event: Event) -> None:
        """Deliver an event; called by the loop."""
        if isinstance(event, ClipDone):
            self._result = event.result
        if not isinstance(event, ClipHeard):
            self._events.put(event)
        if isinstance(event, ClipDone):
            self._events.close()


def _add(events: deque[Event], event: Event) -> None:
    """Progress replaces progress that nobody has taken yet."""
    if events and isinstance(events[-1], ClipProgressed) and isinstance(event, ClipProgressed):
        events.pop()
    events.append(event)


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
