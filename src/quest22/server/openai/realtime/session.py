"""A realtime transcription session: events and sound in, events out. Knows no transport.

Sound goes into a live session, and its events become events of items. What a client changes on the
way opens another live session for the sound that follows: what was fed before is told first.
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
from quest22.server.waiting import until

_log = logging.getLogger("quest22.server")

MAX_LIVE_SESSIONS = 2
"""Live sessions of one client: one that is fed, and one whose last text is on its way."""

IGNORED_EVENTS = frozenset(
    {
        "response.cancel",
        "output_audio_buffer.clear",
        "conversation.item.delete",
        "conversation.item.truncate",
    }
)
"""Events for a conversation with a model that talks: there is nothing to do for them."""


class RealtimeSession:
    """One client's session; for use in one event loop.

    ``send`` passes an event to the client, and waits while the client takes none: then what was
    said waits too, and nothing is lost. ``model`` is what was asked for, ``settings`` what the
    session begins with, ``is_beta`` whether the client speaks the beta. In this order: ``prepare``,
    ``begin``; then ``receive``, ``feed`` and their like by one task; at last ``drain``, if there is
    time for what was said, and ``close`` in any case.
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
        """Tell the client that the session is there; from now on it gets events."""
        await self._events.emit(f"{self._dialect}.created", session=self.fields())
        self._sender = asyncio.create_task(self._send_events())

    async def receive_text(self, text: str | bytes) -> None:
        """Take a client's event as it was sent, as JSON."""
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            error = EventError("the message is no JSON: expected an event", "invalid_json")
            await self._events.error(error)
            return
        await self.receive(event)

    async def receive(self, event: object) -> None:
        """Take a client's event; what is wrong with it is told in an ``error`` event.

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
        """Take sound, ``[samples]`` or ``[samples, channels]``; waits while there is no room.

        Raises :class:`Refusal` if the model is no more.
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
        """Take no more sound, and send the last text of what was said."""
        async with self._receiving:
            if not self._is_draining and self._current is not None:
                await self._feed_bytes(self._input_buffer.rest())
                await self._current.end()
            self._is_draining = True
        self._queue.put_nowait(None)
        if self._sender is not None:
            await asyncio.wait([self._sender])

    async def close(self) -> None:
        """Free everything at once; what is not final yet is lost."""
        self._is_draining = True
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])
        for configured in list(self._open_sessions):
            await self._close(configured)

    @property
    def has_ended(self) -> asyncio.Event:
        """Set once no events will come any more."""
        return self._ended

    def fields(self) -> dict[str, Any]:
        """The session as its events have it."""
        said = {"id": self.id, "object": "realtime.transcription_session"}
        if self.is_beta:
            return {**said, **self.settings.beta_fields()}
        return {"type": "transcription", **said, **self.settings.fields()}

    # Events of the client.

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
                f"type is {kind!r}: expected {', '.join(actions)}; this server transcribes, and "
                "does not answer",
                parameter="type",
            )

    async def _update(self, fields: Fields) -> None:
        given = fields.inner("session")
        if given is None:
            raise EventError("session is not there: expected an object", parameter="session")
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
        is_empty = configured is None or not configured.has_news
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

    # Sound.

    async def _feed_bytes(self, samples: Samples) -> None:
        if len(samples):
            await self._feed(samples, self.settings.raw_format.rate_hz)

    async def _try_feed(self, samples: Samples, rate_hz: int) -> bool:
        """Whether the sound was taken; False: the live session has failed."""
        try:
            return self._current is None or await self._current.feed(samples, rate_hz)
        except UsageError as exc:
            raise EventError(str(exc), parameter="audio") from exc
        except ClipError:
            return False

    async def _open(self, settings: SessionSettings) -> ConfiguredSession:
        """A live session behind those that are open; waits until those before are told."""
        await until(lambda: len(self._open_sessions) < MAX_LIVE_SESSIONS)
        configured = await open_configured_session(
            self._service, self._admission, settings, self._fed_s
        )
        self._open_sessions.append(configured)
        self._queue.put_nowait(configured)
        return configured

    async def _reopen(self, settings: SessionSettings) -> ConfiguredSession:
        """Another live session for the sound to come; the one before says its last."""
        before, after = self._current, await self._open(settings)
        if before is not None:
            await before.end()
        return after

    # What is told, in a task of its own.

    async def _send_events(self) -> None:
        try:
            while (configured := await self._queue.get()) is not None:
                await self._send_session_events(configured)
            await self._conversation.finish(self._fed_s, self.settings)
        except ConnectionError:
            _log.debug("%s: the client has gone", self.id)
        except Exception:
            _log.exception("%s: events cannot be told", self.id)
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
            _log.warning("%s: transcription has failed: %s", self.id, exc)
            has_failed = True
        if has_failed:
            async with self._sending:
                await self._conversation.fail("the sound could not be transcribed")
        await self._close(configured)

    async def _send_event(self, configured: ConfiguredSession, event: LiveEvent) -> None:
        settings, at_s = configured.settings, configured.offset_s + event.audio_end_s
        finds_turns = settings.turn_detection is not None
        if event.type == "flushed":
            configured.flushes -= 1
            await self._conversation.flushed(settings)
        elif event.type == "speech_started":
            if finds_turns:
                await self._conversation.speech_started(at_s)
        elif event.type == "speech_stopped":
            if finds_turns:
                await self._conversation.speech_stopped(at_s)
        else:
            await self._conversation.add_text(event, settings, configured.offset_s)

    def _cancel_if_discarded(self, configured: ConfiguredSession) -> bool:
        """End a live session that was cleared, once all before that is told."""
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
    """What a live session depends on."""
    turns = settings.turn_detection
    return settings.transcription.model, settings.live_options(), turns is None
