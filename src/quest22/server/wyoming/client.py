"""One client of Wyoming's: it asks what there is, or sends sound and gets its text.

Text that stays is sent while the sound still comes, all of it in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioFormat, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe
from wyoming.ping import Ping, Pong

from quest22.capture.raw_pcm import RawFormat
from quest22.errors import ClipError, UsageError
from quest22.runtime.live_session import LiveSession
from quest22.server.access.gate import Caller
from quest22.server.live_feed import RawFeed
from quest22.server.refusal import Refusal
from quest22.server.service import Service
from quest22.server.wyoming.program import info
from quest22.server.wyoming.wire import NoEventError, read_event, write
from quest22.settings.languages import LANGUAGES, track_language

IDLE_S = 300.0
"""A client that sends nothing for so long has gone."""

SPEAKING_IDLE_S = 30.0
"""The same within sound, which comes as it is spoken."""

SAMPLES = {1: "u8", 2: "s16le", 3: "s24le", 4: "s32le"}
"""Bytes of a sample → FFmpeg's name of the format."""

MAX_TERMS = 100


@dataclass(slots=True, eq=False)
class _Utterance:
    """Sound that is being spoken; ``text`` tells it, and returns all of it in the end."""

    stack: AsyncExitStack
    feed: RawFeed
    text: asyncio.Task[Transcript]


class WyomingClient:
    """One connection. ``run`` ends with it."""

    def __init__(
        self,
        service: Service,
        caller: Caller,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._service = service
        self._caller = caller
        self._reader = reader
        self._writer = writer
        self._wanted = Transcribe()
        self._utterance: _Utterance | None = None
        self._reading: asyncio.Future[Any] | None = None
        self._draining = False

    async def run(self) -> None:
        """Serve the client until it goes, or the server ends."""
        try:
            while not self._draining:
                event = await self._next()
                if event is None or not await self._answer(event):
                    break
            if self._draining:
                await self._finish()
        except Refusal as refusal:
            await self._refuse(refusal.message, refusal.reason)
        except NoEventError as exc:
            await self._refuse(str(exc), "bad_request")
        except ClipError as exc:
            await self._refuse(exc.reason, "failed")
        except (OSError, TimeoutError):
            return  # nobody is there
        finally:
            await self._drop()
            self._writer.close()

    async def drain(self) -> None:
        """Take no more: the server is ending. What was said so far is answered."""
        self._draining = True
        if self._reading is not None:
            self._reading.cancel()

    async def _next(self) -> Event | None:
        """The next event; None: no more is wanted."""
        idle_s = IDLE_S if self._utterance is None else SPEAKING_IDLE_S
        self._reading = asyncio.ensure_future(read_event(self._reader))
        try:
            done, _ = await asyncio.wait({self._reading}, timeout=idle_s)
            return None if not done or self._reading.cancelled() else self._reading.result()
        finally:
            self._reading.cancel()
            self._reading = None

    async def _answer(self, event: Event) -> bool:
        """Do what an event wants; those that are unknown want nothing. False: it was the last."""
        if AudioChunk.is_type(event.type):
            return await self._hear(_format(event), event.payload or b"")
        if AudioStart.is_type(event.type):
            await self._drop()
            await self._start(_format(event))
        elif AudioStop.is_type(event.type):
            await self._finish()
        elif Transcribe.is_type(event.type):
            self._wanted = Transcribe.from_event(event)
        elif Describe.is_type(event.type):
            await self._describe()
        elif Ping.is_type(event.type):
            await write(self._writer, Pong(Ping.from_event(event).text))
        return True

    async def _describe(self) -> None:
        async with self._service.models.borrow(None):  # so its languages are known
            await write(self._writer, info(self._service.models))

    # Sound in.

    async def _start(self, sound: RawFormat) -> _Utterance:
        """Begin to transcribe; raises :class:`Refusal`."""
        async with AsyncExitStack() as stack:
            admission = stack.enter_context(self._service.gate.admit(self._caller, "live"))
            model = await stack.enter_async_context(
                self._service.models.borrow(_text(self._wanted.name))
            )
            live = self._service.live(model, _options(self._wanted), admission)
            session = await stack.enter_async_context(live)
            text = asyncio.ensure_future(self._tell(session))
            kept = stack.pop_all()
        self._utterance = _Utterance(kept, RawFeed(session, sound), text)
        return self._utterance

    async def _hear(self, sound: RawFormat, data: bytes) -> bool:
        utterance = self._utterance or await self._start(sound)
        feeding = await utterance.feed.feed(data)
        if not feeding:
            await utterance.text  # it says why
        return feeding

    async def _finish(self) -> None:
        """The sound has ended: send all of its text."""
        utterance = self._utterance
        if utterance is None:
            return
        await utterance.feed.end()
        transcript = await utterance.text
        await write(self._writer, transcript)
        await write(self._writer, TranscriptStop())
        await self._drop()

    async def _drop(self) -> None:
        """Forget what was said."""
        utterance, self._utterance = self._utterance, None
        if utterance is not None:
            utterance.text.cancel()
            await utterance.stack.aclose()

    # Text out.

    async def _tell(self, session: LiveSession) -> Transcript:
        """Send what stays as it comes."""
        whole, language, sent, started = "", None, 0, False
        async for event in session:
            language = event.language or language
            stable = [word.text for word in event.words[sent:] if word.stable]
            if stable:
                if not started:
                    started = True
                    await write(self._writer, TranscriptStart(language=language))
                text = "".join(stable)
                await write(self._writer, TranscriptChunk(text if whole else text.lstrip()))
                whole += text
            sent = 0 if event.type == "final" else sent + len(stable)
        if not started:
            await write(self._writer, TranscriptStart(language=language))
        return Transcript(whole.strip(), language=language)

    async def _refuse(self, message: str, code: str) -> None:
        """Say why, and close: whoever waits for a transcript would wait for ever."""
        await _unless_gone(write(self._writer, Error(message, code)))


def _options(wanted: Transcribe) -> dict[str, Any]:
    """As :class:`quest22.Transcriber` calls them. A language that is none of ours is detected."""
    code = track_language(_text(wanted.language))
    options: dict[str, Any] = {"language": code if code in LANGUAGES else None}
    terms = [*(wanted.transcript_names or []), *(wanted.transcript_terms or [])][:MAX_TERMS]
    if terms:
        options["hotwords"] = ", ".join(map(str, terms))[:2_000]
    return options


def _format(event: Event) -> RawFormat:
    """Of an event about sound; raises :class:`Refusal`."""
    found = event.data
    fields = AudioFormat(*(_whole(found.get(name)) for name in ("rate", "width", "channels")))
    if fields.width not in SAMPLES:
        raise Refusal("bad_request", f"width is {fields.width}: expected 1 to 4 bytes a sample")
    try:
        return RawFormat(SAMPLES[fields.width], fields.rate, fields.channels)
    except UsageError as exc:
        raise Refusal("bad_request", str(exc)) from exc


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


async def _unless_gone(sending: Coroutine[Any, Any, None]) -> None:
    try:
        await sending
    except (OSError, TimeoutError):
        return  # nobody is there
