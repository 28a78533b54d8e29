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
from quest22.server.openai.realtime.conversation import Conversation
from quest22.server.openai.realtime.fields import EventError, Fields
from quest22.server.openai.realtime.outgoing import Outgoing, Send, new_id
from quest22.server.openai.realtime.settings import SessionSettings
from quest22.server.openai.realtime.sound import MAX_BASE64_BYTES, SoundBytes
from quest22.server.openai.realtime.stretch import Stretch, open_stretch
from quest22.server.refusal import Refusal
from quest22.server.service import Service
from quest22.server.waiting import until

_log = logging.getLogger("quest22.server")

MAX_STRETCHES = 2
"""Live sessions of one client: one that is fed, and one whose last text is on its way."""

HARMLESS = frozenset(
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
        self._visit = admission
        self._outgoing = Outgoing(send)
        self._conversation = Conversation(self._outgoing, is_beta=is_beta)
        self._bytes = SoundBytes(given.raw_format)
        self._stretch: Stretch | None = None
        self._stretches: list[Stretch] = []
        self._coming: asyncio.Queue[Stretch | None] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._taking = asyncio.Lock()
        self._telling = asyncio.Lock()
        self._teller: asyncio.Task[None] | None = None
        self._fed_s = 0.0
        self._is_draining = False

    async def prepare(self) -> None:
        """Load the model and open a live session. Raises :class:`Refusal`."""
        self._stretch = await self._opened(self.settings)

    async def begin(self) -> None:
        """Tell the client that the session is there; from now on it gets events."""
        await self._outgoing.emit(f"{self._dialect}.created", session=self.fields())
        self._teller = asyncio.create_task(self._tell())

    async def receive_text(self, text: str | bytes) -> None:
        """Take a client's event as it was sent, as JSON."""
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            error = EventError("the message is no JSON: expected an event", "invalid_json")
            await self._outgoing.error(error)
            return
        await self.receive(event)

    async def receive(self, event: object) -> None:
        """Take a client's event; what is wrong with it is told in an ``error`` event.

        Raises as :meth:`feed` does.
        """
        async with self._taking:
            if self._is_draining:
                return
            try:
                await self._take(Fields(event, ""))
            except EventError as exc:
                event_id = event.get("event_id") if isinstance(event, dict) else None
                await self._outgoing.error(exc, event_id)

    async def feed(self, samples: Samples, rate_hz: int) -> None:
        """Take sound, ``[samples]`` or ``[samples, channels]``; waits while there is no room.

        Raises :class:`Refusal` if the model is no more.
        """
        async with self._taking:
            if not self._is_draining:
                await self._feed(samples, rate_hz)

    async def _feed(self, samples: Samples, rate_hz: int) -> None:
        if not await self._fed(samples, rate_hz):
            self._stretch = await self._renewed(self.settings)
            await self._fed(samples, rate_hz)
        self._fed_s += len(samples) / rate_hz

    async def drain(self) -> None:
        """Take no more sound, and send the last text of what was said."""
        async with self._taking:
            if not self._is_draining and self._stretch is not None:
                await self._feed_bytes(self._bytes.rest())
                await self._stretch.end()
            self._is_draining = True
        self._coming.put_nowait(None)
        if self._teller is not None:
            await asyncio.wait([self._teller])

    async def close(self) -> None:
        """Free everything at once; what is not final yet is lost."""
        self._is_draining = True
        if self._teller is not None:
            self._teller.cancel()
            await asyncio.wait([self._teller])
        for stretch in list(self._stretches):
            await self._close(stretch)

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

    async def _take(self, fields: Fields) -> None:
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
        elif kind not in HARMLESS:
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
        await self._feed_bytes(self._bytes.rest())
        if settings.raw_format != self.settings.raw_format:
            self._bytes = SoundBytes(settings.raw_format)
        before, after = _heard_with(self.settings), _heard_with(settings)
        if before != after:
            try:
                self._stretch = await self._renewed(settings)
            except Refusal as exc:
                code = "model_not_found" if exc.reason == "unknown_model" else "invalid_value"
                raise EventError(exc.message, code, exc.parameter or "session") from exc
        self.settings = settings
        kind = fields.text("type", None, 200) or ""
        await self._outgoing.emit(f"{kind}d", session=self.fields())

    async def _append(self, fields: Fields) -> None:
        text = fields.text("audio", None, MAX_BASE64_BYTES)
        if text is not None:
            await self._feed_bytes(self._bytes.take(text))

    async def _commit(self, _: Fields) -> None:
        await self._feed_bytes(self._bytes.rest())
        stretch = self._stretch
        rides = stretch is None or not stretch.has_news
        async with self._telling:
            await self._conversation.commit(self._fed_s, rides=rides)
        if stretch is not None and not rides:
            await stretch.flush()

    async def _clear(self, _: Fields) -> None:
        self._bytes.rest()
        before, self._stretch = self._stretch, await self._opened(self.settings)
        async with self._telling:
            await self._conversation.drop(self._fed_s)
            if before is not None:
                before.is_discarded = before.is_over = True
                self._cut(before)
        await self._outgoing.emit("input_audio_buffer.cleared")

    # Sound.

    async def _feed_bytes(self, samples: Samples) -> None:
        if len(samples):
            await self._feed(samples, self.settings.raw_format.rate_hz)

    async def _fed(self, samples: Samples, rate_hz: int) -> bool:
        """Whether the sound was taken; False: the live session has failed."""
        try:
            return self._stretch is None or await self._stretch.feed(samples, rate_hz)
        except UsageError as exc:
            raise EventError(str(exc), parameter="audio") from exc
        except ClipError:
            return False

    async def _opened(self, settings: SessionSettings) -> Stretch:
        """A live session behind those that are open; waits until those before are told."""
        await until(lambda: len(self._stretches) < MAX_STRETCHES)
        stretch = await open_stretch(self._service, self._visit, settings, self._fed_s)
        self._stretches.append(stretch)
        self._coming.put_nowait(stretch)
        return stretch

    async def _renewed(self, settings: SessionSettings) -> Stretch:
        """Another live session for the sound to come; the one before says its last."""
        before, after = self._stretch, await self._opened(settings)
        if before is not None:
            await before.end()
        return after

    # What is told, in a task of its own.

    async def _tell(self) -> None:
        try:
            while (stretch := await self._coming.get()) is not None:
                await self._tell_stretch(stretch)
            await self._conversation.finish(self._fed_s, self.settings)
        except ConnectionError:
            _log.debug("%s: the client has gone", self.id)
        except Exception:
            _log.exception("%s: events cannot be told", self.id)
        finally:
            self._ended.set()

    async def _tell_stretch(self, stretch: Stretch) -> None:
        try:
            async for event in stretch.live:
                async with self._telling:
                    if not self._cut(stretch):
                        await self._tell_event(stretch, event)
                    if self._cut(stretch):
                        break
            has_failed = not stretch.is_over
        except ClipError as exc:
            _log.warning("%s: transcription has failed: %s", self.id, exc)
            has_failed = True
        if has_failed:
            async with self._telling:
                await self._conversation.fail("the sound could not be transcribed")
        await self._close(stretch)

    async def _tell_event(self, stretch: Stretch, event: LiveEvent) -> None:
        settings, at_s = stretch.settings, stretch.offset_s + event.audio_end_s
        finds_turns = settings.turn_detection is not None
        if event.type == "flushed":
            stretch.flushes -= 1
            await self._conversation.flushed(settings)
        elif event.type == "speech_started":
            if finds_turns:
                await self._conversation.started(at_s)
        elif event.type == "speech_stopped":
            if finds_turns:
                await self._conversation.stopped(at_s)
        else:
            await self._conversation.hear(event, settings, stretch.offset_s)

    def _cut(self, stretch: Stretch) -> bool:
        """End a live session that was cleared, once all before that is told."""
        if not stretch.is_discarded or stretch.flushes or self._conversation.is_ending:
            return False
        stretch.live.cancel()
        return True

    async def _close(self, stretch: Stretch) -> None:
        self._stretches.remove(stretch)
        await stretch.close()

    @property
    def _dialect(self) -> str:
        return "transcription_session" if self.is_beta else "session"


def _heard_with(settings: SessionSettings) -> tuple[Any, ...]:
    """What a live session depends on."""
    turns = settings.turn_detection
    return settings.transcription.model, settings.live_options(), turns is None
