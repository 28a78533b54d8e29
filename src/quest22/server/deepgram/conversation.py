"""A live session's websocket once it is open: sound and control messages in, results out.

The socket is read only as fast as the sound is taken. Whoever reads slowly sees fewer results that
are not final, and all that are.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.status import (
    WS_1000_NORMAL_CLOSURE,
    WS_1008_POLICY_VIOLATION,
    WS_1011_INTERNAL_ERROR,
    WS_1012_SERVICE_RESTART,
)
from starlette.websockets import WebSocket, WebSocketDisconnect

from quest22.errors import ClipError, UsageError
from quest22.records import LiveEvent
from quest22.runtime.live_session import LiveSession
from quest22.server.deepgram import control
from quest22.server.deepgram.results import ChannelResults, Message
from quest22.server.deepgram.sound import SniffedFeed
from quest22.server.live_feed import flush_session
from quest22.server.refusal import Reason

IDLE_S = 10.0
"""A client that sends nothing for so long has gone, or forgot its KeepAlive."""

SEND_S = 60.0
"""A client that takes nothing for so long has gone."""

HOLD_S = 0.1
"""While a Finalize is not answered, a final result waits so long: it may be the answer."""

TICK_S = 0.1

MAX_SCHEMA_ERRORS = 10


@dataclass(frozen=True, slots=True)
class Ending:
    """Why no more is taken, and how the socket is closed; None: it is closed already.

    ``reason`` is told to the client, ``fault`` to the log.
    """

    code: int | None
    reason: str = ""
    fault: Reason | None = None


CLOSED = Ending(WS_1000_NORMAL_CLOSURE)
GONE = Ending(None)
IDLE = Ending(
    WS_1011_INTERNAL_ERROR, "NET-0001: neither sound nor a KeepAlive came for 10 s", "stalled"
)
FAILED = Ending(WS_1011_INTERNAL_ERROR, "NET-0000: the server failed", "failed")
UNREADABLE = Ending(
    WS_1008_POLICY_VIOLATION, "DATA-0000: the sound cannot be decoded", "unreadable_audio"
)
TOO_MANY_ERRORS = Ending(
    WS_1008_POLICY_VIOLATION, "DATA-0001: too many messages that are not valid", "bad_request"
)
DRAINED = Ending(WS_1012_SERVICE_RESTART, "the server is shutting down", "draining")


@dataclass(slots=True, eq=False)
class Channel:
    """One channel of the sound. ``finalizes`` are those without an answer, by where they came."""

    session: LiveSession
    feed: SniffedFeed
    results: ChannelResults
    finalizes: deque[float] = field(default_factory=deque)

    async def finalize(self) -> None:
        """Make final what was said so far."""
        await self.feed.flush()
        self.finalizes.append(self.session.fed_s)
        await flush_session(self.session)

    def finalized(self, at_s: float) -> None:
        """All that was said until then is final."""
        while self.finalizes and self.finalizes[0] <= at_s + HOLD_S:
            self.finalizes.popleft()


class Conversation:
    """Runs until the client ends it, or the server does; ``metadata`` makes the last message."""

    def __init__(self, websocket: WebSocket, channels: Sequence[Channel], request_id: str) -> None:
        self.sha256 = hashlib.sha256()
        self._websocket = websocket
        self._channels = channels
        self._request_id = request_id
        self._idle: asyncio.Timeout | None = None
        self._draining = False
        self._errors = 0

    @property
    def duration_s(self) -> float:
        """How much sound has come."""
        return max(channel.session.fed_s for channel in self._channels)

    async def run(self) -> Ending:
        """Returns how to close the socket, when all results were sent."""
        telling: asyncio.Future[Any] = asyncio.gather(*map(self._tell, self._channels))
        listening = asyncio.ensure_future(self._listen())
        both: set[asyncio.Future[Any]] = {telling, listening}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                await telling  # it raises, or the server has cancelled the session
                return DRAINED if self._draining else FAILED
            return await self._end(listening.result(), telling)
        except (WebSocketDisconnect, TimeoutError):
            return GONE
        except ClipError:
            return FAILED
        finally:
            for task in both:
                task.cancel()
            for channel in self._channels:
                channel.feed.close()
            await asyncio.gather(*both, return_exceptions=True)

    async def _end(self, ending: Ending, telling: asyncio.Future[Any]) -> Ending:
        """Wait for the last results."""
        if ending is GONE:
            return ending
        for channel in self._channels:
            await channel.feed.end()
        await telling
        is_unreadable = any(channel.feed.error for channel in self._channels)
        return UNREADABLE if is_unreadable else ending

    async def drain(self) -> None:
        """Take no more: the server is ending."""
        self._draining = True
        if self._idle is not None:
            self._idle.reschedule(asyncio.get_running_loop().time())

    async def send(self, message: Message) -> None:
        """Send a message; raises :class:`TimeoutError` if the client does not take it."""
        async with asyncio.timeout(SEND_S):
            await self._websocket.send_text(json.dumps(message, ensure_ascii=False))

    # Sound and control messages in.

    async def _listen(self) -> Ending:
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(IDLE_S) as self._idle:
                while not self._draining:
                    message = await self._websocket.receive()
                    self._idle.reschedule(None)
                    ending = await self._take(message)
                    if ending is not None:
                        return ending
                    self._idle.reschedule(clock() + IDLE_S)
        except TimeoutError:
            return DRAINED if self._draining else IDLE
        except UsageError:  # numbers that are no sound
            return UNREADABLE
        finally:
            self._idle = None
        return DRAINED

    async def _take(self, message: Mapping[str, Any]) -> Ending | None:
        if message["type"] == "websocket.disconnect":
            return GONE
        data, text = message.get("bytes"), message.get("text")
        if text is not None:
            return await self._obey(text)
        if not data:
            return CLOSED  # as older clients end a stream
        return await self._hear(data)

    async def _hear(self, data: bytes) -> Ending | None:
        self.sha256.update(data)
        for channel in self._channels:
            more = await channel.feed.feed(data)
            if not more and channel.feed.error is not None:
                return UNREADABLE
        return None

    async def _obey(self, text: str) -> Ending | None:
        wanted = control.read(text)
        if wanted is None:
            self._errors += 1
            await self.send(control.schema_error(text))
            return TOO_MANY_ERRORS if self._errors >= MAX_SCHEMA_ERRORS else None
        if wanted.kind == "CloseStream":
            return CLOSED
        if wanted.kind == "Finalize":
            for channel in self._channels:
                if wanted.channel in (None, channel.results.channel):
                    await channel.finalize()
        elif wanted.kind == "Configure":
            formatting = self._channels[0].results.formatting
            await self.send(control.configure(wanted, formatting, self._request_id))
        return None

    # Results out.

    async def _tell(self, channel: Channel) -> None:
        async for event, by_finalize in _events(channel):
            if event is None:
                await self._send_all(channel.results.heard(channel.session.taken_s))
            else:
                await self._send_all(channel.results.take(event, by_finalize=by_finalize))
        error = channel.feed.error
        if error is None:
            await self._send_all(channel.results.end(channel.session.fed_s))

    async def _send_all(self, messages: Sequence[Message]) -> None:
        for message in messages:
            await self.send(message)


async def _events(channel: Channel) -> AsyncIterator[tuple[LiveEvent | None, bool]]:
    """The session's events, and whether one answers a Finalize.

    A final event that does is followed by ``flushed`` at once, which is then left out. While the
    end of an utterance is awaited, None tells from time to time that there was no event.
    """
    events = aiter(channel.session)
    coming = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            if channel.results.awaits_gap:
                await asyncio.wait({coming}, timeout=TICK_S)
                if not coming.done():
                    yield None, False
                    continue
            event = await coming
            if event is None:
                return
            coming = asyncio.ensure_future(anext(events, None))
            if event.type == "final" and channel.finalizes:
                done, _ = await asyncio.wait({coming}, timeout=HOLD_S)
                after = coming.result() if done else None
                if after is not None and after.type == "flushed":
                    coming = asyncio.ensure_future(anext(events, None))
                    channel.finalized(after.audio_end_s)
                    yield event, True
                    continue
            elif event.type == "flushed":
                channel.finalized(event.audio_end_s)
            yield event, event.type == "flushed"
    finally:
        coming.cancel()
