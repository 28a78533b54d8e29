"""An open websocket: audio and control messages in, results out.

The socket is read only as fast as the audio is transcribed. A slow reader gets fewer interim
results, but every final one.
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
from quest22.server.deepgram.audio_feed import SniffedFeed
from quest22.server.deepgram.results import ChannelResults, Message
from quest22.server.live_feed import flush_session
from quest22.server.refusal import Reason

IDLE_TIMEOUT_S = 10.0
"""The connection closes if the client sends nothing, not even a KeepAlive, for this long."""

SEND_TIMEOUT_S = 60.0
"""A client that reads nothing for this long is disconnected."""

FLUSH_GRACE_S = 0.1
"""While a Finalize is unanswered, a final result waits this long to see whether it answers it."""

GAP_CHECK_S = 0.1

MAX_SCHEMA_ERRORS = 10


@dataclass(frozen=True, slots=True)
class CloseReason:
    """Why the connection ends and with which code; None: it is closed already.

    ``reason`` is for the client, ``fault`` for the log.
    """

    code: int | None
    reason: str = ""
    fault: Reason | None = None


CLOSED = CloseReason(WS_1000_NORMAL_CLOSURE)
GONE = CloseReason(None)
IDLE = CloseReason(WS_1011_INTERNAL_ERROR, "NET-0001: no audio or KeepAlive for 10 s", "stalled")
FAILED = CloseReason(WS_1011_INTERNAL_ERROR, "NET-0000: the server failed", "failed")
UNREADABLE = CloseReason(
    WS_1008_POLICY_VIOLATION, "DATA-0000: the audio cannot be decoded", "unreadable_audio"
)
TOO_MANY_ERRORS = CloseReason(
    WS_1008_POLICY_VIOLATION, "DATA-0001: too many invalid messages", "bad_request"
)
DRAINED = CloseReason(WS_1012_SERVICE_RESTART, "the server is shutting down", "draining")


@dataclass(slots=True, eq=False)
class Channel:
    """One audio channel. ``finalizes`` are the positions of unanswered Finalize messages."""

    session: LiveSession
    feed: SniffedFeed
    results: ChannelResults
    finalizes: deque[float] = field(default_factory=deque)

    async def finalize(self) -> None:
        """Finalize what was said so far."""
        await self.feed.flush()
        self.finalizes.append(self.session.fed_s)
        await flush_session(self.session)

    def finalized(self, at_s: float) -> None:
        """Everything before this position is final."""
        while self.finalizes and self.finalizes[0] <= at_s + FLUSH_GRACE_S:
            self.finalizes.popleft()


class LiveConnection:
    """Runs until the client or the server ends it."""

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
        """How much audio has arrived."""
        return max(channel.session.fed_s for channel in self._channels)

    async def run(self) -> CloseReason:
        """Send all results; returns how to close the socket."""
        sending: asyncio.Future[Any] = asyncio.gather(*map(self._send_results, self._channels))
        receiving = asyncio.ensure_future(self._receive())
        both: set[asyncio.Future[Any]] = {sending, receiving}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                await sending  # raises, unless the server has cancelled the session
                return DRAINED if self._draining else FAILED
            return await self._end(receiving.result(), sending)
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

    async def _end(self, ending: CloseReason, sending: asyncio.Future[Any]) -> CloseReason:
        """Wait for the last results."""
        if ending is GONE:
            return ending
        for channel in self._channels:
            await channel.feed.end()
        await sending
        is_unreadable = any(channel.feed.error for channel in self._channels)
        return UNREADABLE if is_unreadable else ending

    async def drain(self) -> None:
        """Accept no more audio: the server is shutting down."""
        self._draining = True
        if self._idle is not None:
            self._idle.reschedule(asyncio.get_running_loop().time())

    async def send(self, message: Message) -> None:
        """Send a message; raises :class:`TimeoutError` if the client does not read it."""
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await self._websocket.send_text(json.dumps(message, ensure_ascii=False))

    # Receiving audio and control messages.

    async def _receive(self) -> CloseReason:
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(IDLE_TIMEOUT_S) as self._idle:
                while not self._draining:
                    message = await self._websocket.receive()
                    self._idle.reschedule(None)
                    ending = await self._handle(message)
                    if ending is not None:
                        return ending
                    self._idle.reschedule(clock() + IDLE_TIMEOUT_S)
        except TimeoutError:
            return DRAINED if self._draining else IDLE
        except UsageError:  # samples that are not finite
            return UNREADABLE
        finally:
            self._idle = None
        return DRAINED

    async def _handle(self, message: Mapping[str, Any]) -> CloseReason | None:
        if message["type"] == "websocket.disconnect":
            return GONE
        data, text = message.get("bytes"), message.get("text")
        if text is not None:
            return await self._handle_text(text)
        if not data:
            return CLOSED  # older clients end a stream with an empty message
        return await self._feed(data)

    async def _feed(self, data: bytes) -> CloseReason | None:
        self.sha256.update(data)
        for channel in self._channels:
            more = await channel.feed.feed(data)
            if not more and channel.feed.error is not None:
                return UNREADABLE
        return None

    async def _handle_text(self, text: str) -> CloseReason | None:
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

    # Sending results.

    async def _send_results(self, channel: Channel) -> None:
        async for event, by_finalize in _events(channel):
            if event is None:
                await self._send_all(channel.results.audio_processed(channel.session.taken_s))
            else:
                await self._send_all(channel.results.take(event, by_finalize=by_finalize))
        error = channel.feed.error
        if error is None:
            await self._send_all(channel.results.end(channel.session.fed_s))

    async def _send_all(self, messages: Sequence[Message]) -> None:
        for message in messages:
            await self.send(message)


async def _events(channel: Channel) -> AsyncIterator[tuple[LiveEvent | None, bool]]:
    """The session's events, each with whether it answers a Finalize.

    A final event that answers a Finalize is followed at once by ``flushed``, which is then omitted.
    While an UtteranceEnd may be due, None is yielded now and then instead of an event.
    """
    events = aiter(channel.session)
    coming = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            if channel.results.awaits_gap:
                await asyncio.wait({coming}, timeout=GAP_CHECK_S)
                if not coming.done():
                    yield None, False
                    continue
            event = await coming
            if event is None:
                return
            coming = asyncio.ensure_future(anext(events, None))
            if event.type == "final" and channel.finalizes:
                done, _ = await asyncio.wait({coming}, timeout=FLUSH_GRACE_S)
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
