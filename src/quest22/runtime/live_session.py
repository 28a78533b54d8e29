"""A caller's view of sound that is still spoken: it is fed, and its events are iterated."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from quest22.audio.live_samples import LiveSamples
from quest22.errors import ClipError, UsageError
from quest22.metrics import Metrics
from quest22.records import (
    SAMPLE_RATE_HZ,
    Failure,
    LiveEvent,
    LiveEventType,
    LiveTextType,
    Transcript,
)
from quest22.runtime.arrivals import Arrivals
from quest22.runtime.audio_input import AudioQueue
from quest22.runtime.event_stream import EventStream
from quest22.runtime.scheduler import ClipDone, ClipHeard, Event
from quest22.system.forks import HomeProcess

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

MOST_SAMPLES = SAMPLE_RATE_HZ
"""A longer block is passed on in pieces, between which the loop serves other sessions."""

KEPT_EVENTS = 2_000
"""Segments whose events wait to be read; more than two hours of talk."""

MOST_EVENTS = 6 * KEPT_EVENTS
"""Each segment has six at most, unless it is flushed over and over."""

TEXTS: frozenset[LiveEventType] = frozenset(get_args(LiveTextType))

_log = logging.getLogger("quest22")


class LiveSession:
    """Live captions of one speaker's sound. Safe to use from several threads.

    Feed it in one thread and iterate it in another, or in asynchronous code with ``async for``: it
    yields each :class:`quest22.LiveEvent` as it happens, until the sound has ended and all text is
    final. Each event is delivered once, so only one consumer may iterate. ::

        with whisper.live(language="en") as session:
            threading.Thread(target=lambda: microphone.feed_to(session)).start()
            for event in session:
                print(event.type, event.text)

    Of a segment's events that nobody has read yet, only the newest waits, and it is ``committed``
    if one of them was: it holds all their text. So a consumer that is slow sees fewer interim texts
    and loses nothing. Events of the voice (``voice_events``) all wait, and keep their place. If the
    events of 2,000 segments wait, the oldest are dropped, with a warning; :meth:`result` has their
    text.

    A ``with`` block ends the sound and waits for the last text; an error in it cancels, and so does
    the loss of the last reference to the session.
    """

    def __init__(
        self,
        key: str,
        sound: AudioQueue,
        cancel: Callable[[], None],
        clock: Callable[[], float],
        owner: object = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.key = key
        self._metrics = metrics
        self._owner = owner  # a model that nobody else holds must not end with its loop
        self._sound = sound
        self._cancel = cancel
        self._clock = clock
        self._home = HomeProcess()
        self._feeding = threading.RLock()
        self._samples = LiveSamples()
        self._arrivals = Arrivals()
        self._events: EventStream[LiveEvent] = EventStream(_Unread(key).add)
        self._result: Transcript | Failure | None = None
        self._on_close: Callable[[], None] | None = None

    # Sound in.

    def feed(self, samples: object, rate_hz: float = SAMPLE_RATE_HZ) -> bool:
        """Feed the next block of sound, of any length; waits while 15 s of it are not processed.

        ``samples`` are ``[samples]``, or ``[samples, channels]``, which are mixed: floats in −1…1,
        int16 or int32, in an array or what NumPy makes one of. ``rate_hz`` may change from block to
        block. In asynchronous code, call it with ``asyncio.to_thread``, or only if ``has_room``.

        Returns False if the session has ended, and needs no more. Raises :class:`UsageError` for
        what is no sound (the session goes on without it), and after :meth:`end`; raises
        :class:`ClipError` if the session has failed.
        """
        self._check_here()
        with self._feeding:
            if self._sound.flushed:
                raise UsageError("sound was fed after the session's end: open another session")
            self._raise_failure()
            block = self._samples.feed(samples, rate_hz)
            self._arrivals.note(self._samples.fed_s, self._clock())
            for start in range(0, len(block), MOST_SAMPLES):
                if not self._sound.put(block[start : start + MOST_SAMPLES]):
                    return False
            return not self._sound.ended

    @property
    def fed_s(self) -> float:
        """How much sound was fed so far."""
        return self._samples.fed_s

    @property
    def has_room(self) -> bool:
        """Whether ``feed`` would not wait."""
        return self._sound.has_room

    @property
    def taken_s(self) -> float:
        """How much of it was taken in for transcription; events about it may still come."""
        return max(0.0, self._samples.fed_s - self._sound.waiting_s)

    def flush(self) -> None:
        """What was said so far is complete: its text becomes final now, and the session goes on."""
        with self._feeding:
            if not self._sound.ended:
                self._feed_rest()
                self._sound.commit()

    def end(self) -> None:
        """The sound has ended: the last text becomes final, then iteration ends."""
        with self._feeding:
            if not self._sound.ended:
                self._feed_rest()
                self._sound.flush()

    def _feed_rest(self) -> None:
        rest = self._samples.flush()
        if len(rest):
            self._sound.put(rest)

    # Events out.

    def __iter__(self) -> Iterator[LiveEvent]:
        """Yield events as they come. Raises :class:`ClipError` if the session fails."""
        self._check_here()
        yield from self._events
        self._raise_failure()

    async def __aiter__(self) -> AsyncIterator[LiveEvent]:
        self._check_here()
        async for event in self._events:
            yield event
        self._raise_failure()

    @property
    def done(self) -> bool:
        """Whether the session has ended, and no more events will come."""
        return self._events.closed

    def result(self, timeout_s: float | None = None) -> Transcript:
        """Wait for the session's end; returns all its text.

        Raises :class:`ClipError` if it failed or was cancelled, and :class:`TimeoutError` after
        ``timeout_s`` seconds.
        """
        self._check_here()
        self._events.wait_closed(timeout_s)
        if self._result is None:
            raise TimeoutError(f"{self.key}: no result within {timeout_s} s")
        if isinstance(self._result, Failure):
            raise ClipError(self._result.stage, self._result.reason)
        return self._result

    def put(self, event: Event) -> None:
        """Deliver an event; called by the loop."""
        if isinstance(event, ClipHeard):
            now = self._clock()
            for each in event.events:
                latency_s = self._latency_s(each, now)
                if latency_s is not None and self._metrics is not None:
                    self._metrics.observe("live_latency", latency_s, each.type)
                self._events.put(replace(each, latency_s=latency_s))
        elif isinstance(event, ClipDone):
            self._result = event.result
            self._events.close()

    def _latency_s(self, event: LiveEvent, now: float) -> float | None:
        return self._arrivals.latency_s(event.words[-1].end_s, now) if event.words else None

    def _check_here(self) -> None:
        self._home.check("this live session")

    def _raise_failure(self) -> None:
        if isinstance(self._result, Failure) and self._result.stage != "cancelled":
            raise ClipError(self._result.stage, self._result.reason)

    # The end.

    def cancel(self) -> None:
        """End the session now, without the text that is not final yet."""
        self._cancel()

    def close(self) -> None:
        """End the sound, if it has not ended, and wait for the last text.

        Raises :class:`ClipError` if the session has failed.
        """
        self._check_here()
        try:
            self.end()
            self._events.wait_closed()
            self._raise_failure()
        finally:
            self._closed()

    def on_close(self, action: Callable[[], None]) -> None:
        """What to do when the session is closed."""
        self._on_close = action

    def _closed(self) -> None:
        if self._on_close is not None:
            action, self._on_close = self._on_close, None
            action()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.cancel()
            self._closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)


class _Unread:
    """What becomes of events that nobody has read yet.

    Not part of the session: a cycle would keep one that its caller has dropped.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._dropped = 0

    def add(self, events: deque[LiveEvent], event: LiveEvent) -> None:
        for index in range(len(events) - 1, -1, -1):
            waiting = events[index]
            if waiting.type not in TEXTS or event.type not in TEXTS:
                break
            if waiting.segment == event.segment:
                keeps = waiting.type == "committed" and event.type == "interim"
                events[index] = replace(event, type="committed") if keeps else event
                return
            if waiting.segment < event.segment:
                break
        events.append(event)
        while events[0].segment <= event.segment - KEPT_EVENTS or len(events) > MOST_EVENTS:
            events.popleft()
            self._dropped += 1
            if self._dropped == 1:
                _log.warning(
                    "%s: the events of %d segments wait to be read, and the oldest are dropped; "
                    "the result will have their text",
                    self._key,
                    KEPT_EVENTS,
                )
