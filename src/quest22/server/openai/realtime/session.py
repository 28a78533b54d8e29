"""A Realtime session, independent of the transport: events and audio in, events out.

Audio goes into a live session, whose events become the events of conversation items. When the
client changes its settings, another live session is opened for the audio that follows; the events
of the earlier one are sent first.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from quest22.errors import ClipError, UsageError
from quest22.records import LiveEvent, Samples
from quest22.server.access.gate import Admission
from quest22.server.openai.realtime.configured_session import (
    ConfiguredSession,
    open_configured_session,
)
from quest22.server.openai.realtime.conversation import Conversation
from quest22.server.openai.realtime.event_sender import EventSender, Send, new_id
from quest22.server.openai.realtime.fields import EventError, Fields
from quest22.server.openai.realtime.input_audio_buffer import MAX_BASE64_BYTES, InputAudioBuffer
from quest22.server.openai.realtime.settings import SessionSettings
from quest22.server.refusal import Refusal
from quest22.server.service import Service
from quest22.server.waiting import wait_until
from quest22.settings.quantities import hours

_log = logging.getLogger("quest22.server")

MAX_LIVE_SESSIONS = 2
"""Live sessions of one client: the one being fed, and one that is finishing its text."""

SESSION_EXPIRED = "session_expired"
"""OpenAI's code of an error that ends a session."""

IGNORED_EVENTS = frozenset(
    {
        "response.cancel",
        "output_audio_buffer.clear",
        "conversation.item.delete",
        "conversation.item.truncate",
    }
)
"""Events for models that answer; there is nothing to do for them."""


class RealtimeSession:
    """One client's session; for use in one event loop.

    ``send`` sends an event to the client and waits while the client is not reading; no text is lost
    meanwhile. ``model`` is the requested model, ``settings`` are the initial settings, ``is_beta``
    selects the beta's protocol.

    Call ``prepare``, then ``begin``; then ``receive``, ``receive_text`` and ``feed`` from one task;
    then ``drain`` to send the remaining text, and always ``close``.
    """

    def __init__(
        self,
        service: Service,
        admission: Admission,
        model: str | None,
        send: Send,
        *,
        settings: SessionSettings | None = None,
        is_beta: bool = False,
    ) -> None:
        given = settings or SessionSettings()
        if given.transcription.model is None:
            named = model or service.models.resolve(None)
            given = replace(given, transcription=replace(given.transcription, model=named))
        self.id = new_id("sess")
        self.settings = given
        self.is_beta = is_beta
        self._service = service
        self._admission = admission
        self._events = EventSender(send)
        self._conversation = Conversation(self._events, is_beta=is_beta)
        self._input_buffer = InputAudioBuffer(given.raw_format)
        self._current: ConfiguredSession | None = None
        self._open_sessions: list[ConfiguredSession] = []
        self._queue: asyncio.Queue[ConfiguredSession | None] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._receiving = asyncio.Lock()
        self._sending = asyncio.Lock()
        self._sender: asyncio.Task[None] | None = None
        self._fed_s = 0.0
        self._is_draining = False

    async def prepare(self) -> None:
        """Load the model and open a live session. Raises :class:`Refusal`."""
        self._current = await self._open(self.settings)

    async def begin(self) -> None:
        """Send the first event and start sending others."""
        await self._events.emit(f"{self._dialect}.created", session=self.fields())
        self._sender = asyncio.create_task(self._send_events())

    async def receive_text(self, text: str | bytes) -> None:
        """Handle a client event given as JSON text."""
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            error = EventError("the message is not JSON: expected an event", "invalid_json")
            await self._events.error(error)
            return
        await self.receive(event)

    async def receive(self, event: object) -> None:
        """Handle a client event; an invalid one is reported in an ``error`` event.

        Raises as :meth:`feed` does.
        """
        async with self._receiving:
            if self._is_draining:
                return
            try:
                await self._handle(Fields(event, ""))
            except EventError as exc:
                event_id = event.get("event_id") if isinstance(event, dict) else None
                await self._events.error(exc, event_id)

    async def feed(self, samples: Samples, rate_hz: int) -> None:
        """Feed audio, ``[samples]`` or ``[samples, channels]``; waits while there is no room.

        Raises :class:`Refusal` if the model cannot be used any more.
        """
        async with self._receiving:
            if not self._is_draining:
                await self._feed(samples, rate_hz)

    async def _feed(self, samples: Samples, rate_hz: int) -> None:
        if not await self._try_feed(samples, rate_hz):
            self._current = await self._reopen(self.settings)
            await self._try_feed(samples, rate_hz)
        self._fed_s += len(samples) / rate_hz

    async def drain(self) -> None:
        """Accept no more audio and send the remaining text."""
        async with self._receiving:
            if not self._is_draining and self._current is not None:
                await self._feed_bytes(self._input_buffer.rest())
                await self._current.end()
            self._is_draining = True
        self._queue.put_nowait(None)
        if self._sender is not None:
            await asyncio.wait([self._sender])

    async def expire(self, idle_s: float) -> None:
        """End the session of a client that has sent nothing for so long; it is told so at last."""
        await self.drain()
        message = f"the session has ended: nothing came for {hours(idle_s)}"
        await self._events.error(EventError(message, SESSION_EXPIRED))

    async def close(self) -> None:
        """Release everything at once; text that is not final is lost."""
        self._is_draining = True
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])
        for configured in list(self._open_sessions):
            await self._close(configured)

    @property
    def has_ended(self) -> asyncio.Event:
        """Set once no more events will be sent."""
        return self._ended

    def fields(self) -> dict[str, Any]:
        """The session object as in OpenAI's events."""
        identity = {"id": self.id, "object": "realtime.transcription_session"}
        if self.is_beta:
            return {**identity, **self.settings.beta_fields()}
        return {"type": "transcription", **identity, **self.settings.fields()}

    # Client events.

    async def _handle(self, fields: Fields) -> None:
        kind = fields.text("type", None, 200)
        actions: dict[str, Callable[[Fields], Awaitable[None]]] = {
            "session.update": self._update,
            "transcription_session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
        }
        if kind in actions:
            await actions[kind](fields)
        elif kind not in IGNORED_EVENTS:
            raise EventError(
                f"type is {kind!r}: expected {', '.join(actions)}; this server only transcribes",
                parameter="type",
            )

    async def _update(self, fields: Fields) -> None:
        given = fields.inner("session")
        if given is None:
            raise EventError("session is missing: expected an object", parameter="session")
        settings = self.settings.updated(given.values)
        await self._feed_bytes(self._input_buffer.rest())
        if settings.raw_format != self.settings.raw_format:
            self._input_buffer = InputAudioBuffer(settings.raw_format)
        before, after = _session_key(self.settings), _session_key(settings)
        if before != after:
            try:
                self._current = await self._reopen(settings)
            except Refusal as exc:
                code = "model_not_found" if exc.reason == "unknown_model" else "invalid_value"
                raise EventError(exc.message, code, exc.parameter or "session") from exc
        self.settings = settings
        kind = fields.text("type", None, 200) or ""
        await self._events.emit(f"{kind}d", session=self.fields())

    async def _append(self, fields: Fields) -> None:
        text = fields.text("audio", None, MAX_BASE64_BYTES)
        if text is not None:
            await self._feed_bytes(self._input_buffer.take(text))

    async def _commit(self, _: Fields) -> None:
        await self._feed_bytes(self._input_buffer.rest())
        configured = self._current
        is_empty = configured is None or not configured.has_unflushed_audio
        async with self._sending:
            await self._conversation.commit(self._fed_s, is_empty=is_empty)
        if configured is not None and not is_empty:
            await configured.flush()

    async def _clear(self, _: Fields) -> None:
        self._input_buffer.rest()
        before, self._current = self._current, await self._open(self.settings)
        async with self._sending:
            await self._conversation.discard(self._fed_s)
            if before is not None:
                before.is_discarded = before.is_over = True
                self._cancel_if_discarded(before)
        await self._events.emit("input_audio_buffer.cleared")

    # Audio.

    async def _feed_bytes(self, samples: Samples) -> None:
        if len(samples):
            await self._feed(samples, self.settings.raw_format.rate_hz)

    async def _try_feed(self, samples: Samples, rate_hz: int) -> bool:
        """Feed the current live session; False if it has failed."""
        try:
            return self._current is None or await self._current.feed(samples, rate_hz)
        except UsageError as exc:
            raise EventError(str(exc), parameter="audio") from exc
        except ClipError:
            return False

    async def _open(self, settings: SessionSettings) -> ConfiguredSession:
        """Open a live session after the open ones; waits if there are too many."""
        await wait_until(lambda: len(self._open_sessions) < MAX_LIVE_SESSIONS)
        configured = await open_configured_session(
            self._service, self._admission, settings, self._fed_s
        )
        self._open_sessions.append(configured)
        self._queue.put_nowait(configured)
        return configured

    async def _reopen(self, settings: SessionSettings) -> ConfiguredSession:
        """Open a live session for the audio that follows, and end the current one."""
        before, after = self._current, await self._open(settings)
        if before is not None:
            await before.end()
        return after

    # Sending events, in a task of its own.

    async def _send_events(self) -> None:
        try:
            while (configured := await self._queue.get()) is not None:
                await self._send_session_events(configured)
            await self._conversation.finish(self._fed_s, self.settings)
        except ConnectionError:
            _log.debug("%s: the client has disconnected", self.id)
        except Exception:
            _log.exception("%s: events cannot be sent", self.id)
        finally:
            self._ended.set()

    async def _send_session_events(self, configured: ConfiguredSession) -> None:
        try:
            async for event in configured.live:
                async with self._sending:
                    if not self._cancel_if_discarded(configured):
                        await self._send_event(configured, event)
                    if self._cancel_if_discarded(configured):
                        break
            has_failed = not configured.is_over
        except ClipError as exc:
            _log.warning("%s: transcription failed: %s", self.id, exc)
            has_failed = True
        if has_failed:
            async with self._sending:
                await self._conversation.fail("the audio could not be transcribed")
        await self._close(configured)

    async def _send_event(self, configured: ConfiguredSession, event: LiveEvent) -> None:
        settings, at_s = configured.settings, configured.offset_s + event.audio_end_s
        detects_turns = settings.turn_detection is not None
        if event.type == "flushed":
            configured.flushes -= 1
            await self._conversation.flushed(settings)
        elif event.type == "speech_started":
            if detects_turns:
                await self._conversation.speech_started(at_s)
        elif event.type == "speech_stopped":
            if detects_turns:
                await self._conversation.speech_stopped(at_s)
        else:
            await self._conversation.add_text(event, settings, configured.offset_s)

    def _cancel_if_discarded(self, configured: ConfiguredSession) -> bool:
        """Cancel a session that was cleared, once all events before the clear have been sent."""
        if not configured.is_discarded or configured.flushes or self._conversation.is_ending:
            return False
        configured.live.cancel()
        return True

    async def _close(self, configured: ConfiguredSession) -> None:
        self._open_sessions.remove(configured)
        await configured.close()

    @property
    def _dialect(self) -> str:
        return "transcription_session" if self.is_beta else "session"


def _session_key(settings: SessionSettings) -> tuple[Any, ...]:
    """The settings that need a new live session when they change."""
    turns = settings.turn_detection
    return settings.transcription.model, settings.live_options(), turns is None
