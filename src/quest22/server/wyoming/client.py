"""One Wyoming client: it asks for the server's abilities, or sends audio and gets text.

Text that will not change is sent during speech, the full text at the end.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe
from wyoming.ping import Ping, Pong

from quest22.capture.raw_pcm import RawFormat
from quest22.errors import ClipError
from quest22.runtime.live_session import LiveSession
from quest22.server.access.gate import Caller
from quest22.server.live_feed import RawFeed
from quest22.server.operations.request_context import current_request
from quest22.server.operations.request_log import ABNORMAL_CLOSURE
from quest22.server.refusal import Reason, Refusal, server_failed
from quest22.server.service import FAULTS, Service
from quest22.server.wyoming.fields import Wanted, ping_text, read_format
from quest22.server.wyoming.program import info
from quest22.server.wyoming.wire import InvalidEventError, read_event, write

IDLE_TIMEOUT_S = 300.0
"""A client that sends nothing for this long is disconnected."""

UTTERANCE_TIMEOUT_S = 30.0
"""The same within an utterance."""

LINGER_S, LINGER_BYTES = 5.0, 1 << 16
"""How much longer a refused client may send; a client whose connection breaks while it sends does
not read the error."""

_log = logging.getLogger("quest22.server")


@dataclass(slots=True, eq=False)
class _Utterance:
    """An utterance in progress; the task ``text`` sends its text and returns all of it."""

    stack: AsyncExitStack
    feed: RawFeed
    text: asyncio.Task[Transcript]


class WyomingClient:
    """The connection of one client."""

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
        self._wanted = Wanted()
        self._utterance: _Utterance | None = None
        self._reading: asyncio.Future[Any] | None = None
        self._draining = False
        self.has_asked = False
        """Whether any event has arrived."""

    async def run(self) -> None:
        """Serve the client until it disconnects or the server shuts down."""
        try:
            while not self._draining:
                event = await self._next()
                if event is None:
                    break
                self.has_asked = True
                if not await self._answer(event):
                    break
            if self._draining:
                await self._finish()
        except Refusal as refusal:
            await self.refuse(refusal)
        except InvalidEventError as exc:
            await self.refuse(Refusal("bad_request", str(exc)))
        except ClipError as exc:
            await self.refuse(Refusal(FAULTS.get(exc.stage, "failed"), exc.reason))
        except (OSError, TimeoutError):
            current_request().status = ABNORMAL_CLOSURE  # the client has disconnected
        except Exception:
            request_id = current_request().request_id
            _log.exception("%s: a client of Wyoming's could not be served", request_id)
            await self.refuse(server_failed(request_id))
        finally:
            await self._drop()
            self._writer.close()

    async def drain(self) -> None:
        """Accept no more audio and send the transcript so far: the server is shutting down."""
        self._draining = True
        if self._reading is not None:
            self._reading.cancel()

    async def refuse(self, refusal: Refusal) -> None:
        """Send an error and close, so that the client does not wait for a transcript."""
        context = current_request()
        context.status, context.reason = refusal.status, refusal.reason
        with suppress(OSError, TimeoutError):  # the client has disconnected
            await write(self._writer, Error(refusal.message, refusal.reason))
            self._writer.write_eof()
            async with asyncio.timeout(LINGER_S):
                while await self._reader.read(LINGER_BYTES):
                    continue
        self._writer.close()

    async def _next(self) -> Event | None:
        """The next event; None: stop."""
        idle_s = IDLE_TIMEOUT_S if self._utterance is None else UTTERANCE_TIMEOUT_S
        self._reading = asyncio.ensure_future(read_event(self._reader))
        try:
            done, _ = await asyncio.wait({self._reading}, timeout=idle_s)
            if not done:
                self._record_end(408, "stalled")
                return None
            event = None if self._reading.cancelled() else self._reading.result()
            if event is None and not self._draining:
                self._record_end(ABNORMAL_CLOSURE, None)
            return event
        finally:
            self._reading.cancel()
            self._reading = None

    async def _answer(self, event: Event) -> bool:
        """Handle an event; unknown ones are ignored. False: stop."""
        if AudioChunk.is_type(event.type):
            return await self._feed(read_format(event), event.payload or b"")
        if AudioStart.is_type(event.type):
            await self._drop()
            await self._start(read_format(event))
        elif AudioStop.is_type(event.type):
            await self._finish()
        elif Transcribe.is_type(event.type):
            self._wanted = Wanted.of(event)
        elif Describe.is_type(event.type):
            await self._describe()
        elif Ping.is_type(event.type):
            await write(self._writer, Pong(ping_text(event)))
        return True

    async def _describe(self) -> None:
        async with self._service.models.borrow(
            None
        ):  # load the default model, so that its languages are known
            await write(self._writer, info(self._service.models))

    # Receiving audio.

    async def _start(self, audio_format: RawFormat) -> _Utterance:
        """Start an utterance; raises :class:`Refusal`."""
        async with AsyncExitStack() as stack:
            admission = stack.enter_context(self._service.gate.admit(self._caller, "live"))
            borrowed = self._service.models.borrow(self._wanted.model)
            model = await stack.enter_async_context(borrowed)
            live = self._service.live(model, self._wanted.options(), admission)
            session = await stack.enter_async_context(live)
            text = asyncio.ensure_future(self._send_text(session))
            kept = stack.pop_all()
        self._utterance = _Utterance(kept, RawFeed(session, audio_format), text)
        return self._utterance

    async def _feed(self, audio_format: RawFormat, data: bytes) -> bool:
        utterance = self._utterance or await self._start(audio_format)
        feeding = await utterance.feed.feed(data)
        if not feeding:
            await utterance.text  # raises the reason
        return feeding

    async def _finish(self) -> None:
        """End the utterance and send its full text."""
        utterance = self._utterance
        if utterance is None:
            return
        await utterance.feed.end()
        transcript = await utterance.text
        await write(self._writer, transcript)
        await write(self._writer, TranscriptStop())
        await self._drop()

    async def _drop(self) -> None:
        """Discard the utterance."""
        utterance, self._utterance = self._utterance, None
        if utterance is not None:
            utterance.text.cancel()
            await utterance.stack.aclose()

    # Sending text.

    async def _send_text(self, session: LiveSession) -> Transcript:
        """Send text that will not change; returns the full text."""
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

    def _record_end(self, status: int, reason: Reason | None) -> None:
        """No more comes: so a connection ends, but no utterance."""
        if self._utterance is not None:
            context = current_request()
            context.status, context.reason = status, reason or ""
