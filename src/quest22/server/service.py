"""What all protocols use: transcribe a recording, or open a live session."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from quest22.audio.decode import MediaDecoder
from quest22.errors import Quest22Error, UsageError
from quest22.options import LiveOptions, TranscribeOptions
from quest22.records import Audio, Clip, Failure, Media, Origin, Partial, Transcript
from quest22.runtime.clip_state import Priority
from quest22.runtime.live_session import LiveSession
from quest22.runtime.scheduler import ClipDone, ClipProgressed
from quest22.server.access.gate import Admission, AudioUsage, Gate
from quest22.server.models import ModelPool, ServedModel
from quest22.server.operations.background import background, every, preload
from quest22.server.operations.drain import Closer, Drain
from quest22.server.operations.live_usage import LiveUsage
from quest22.server.refusal import Reason, Refusal
from quest22.server.upload.temporary_space import TemporarySpace
from quest22.settings.clip_options import ClipOptions
from quest22.settings.option import refuse_unknown
from quest22.settings.quantities import hours
from quest22.settings.server import ServerSettings

FAULTS: dict[str, Reason] = {
    "source": "unreadable_audio",
    "audio": "unreadable_audio",
    "cancelled": "draining",
}
"""Stage of a failure → reason; failures in other stages are the server's own."""

COUNT_USAGE_S = 1.0
REFRESH_KEYS_S = 2.0
DRAIN_TICK_S = 0.05


@dataclass(slots=True)
class Service:
    """The models of one server, behind its gate."""

    settings: ServerSettings
    models: ModelPool
    gate: Gate
    space: TemporarySpace = field(default_factory=TemporarySpace)
    on_close: list[Callable[[], None]] = field(default_factory=list)
    drain: Drain = field(default_factory=Drain)
    on_preloaded: Callable[[Quest22Error | None], None] = lambda _: None
    _usage: LiveUsage = field(default_factory=LiveUsage)
    _requests: int = 0
    _drained_by_s: float = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the background tasks until the block ends; then shut down."""
        work: list[Awaitable[None]] = [every(COUNT_USAGE_S, self._usage.count)]
        if self.gate.keys is not None:
            work.append(every(REFRESH_KEYS_S, self.gate.keys.refresh))
        idle_s = self.settings.idle_s
        if idle_s is not None:
            work.append(every(min(idle_s / 4, 10.0), lambda: self.models.release_idle(idle_s)))
        if self.settings.preload:
            work.append(preload(self.models, self.on_preloaded))
        try:
            async with background(*work):
                yield
        finally:
            await self.shut_down()

    @property
    def draining(self) -> asyncio.Event:
        """Set once the server is shutting down: live connections then close with 1012."""
        return self.drain.begun

    @asynccontextmanager
    async def session_registered(self, closer: Closer) -> AsyncIterator[None]:
        """Register a live connection, so that the server's shutdown ends it gracefully.

        When the shutdown begins, ``closer`` is called once, in a task of its own. It must stop
        accepting audio and end the session (``await feed.end()``), whose final results are then
        sent as usual. Afterwards the protocol closes the connection with 1012 (``draining`` is
        set) and leaves the block. Connections that take longer than ``--drain`` are cut off.
        """
        async with self.drain.registered(closer):
            yield

    def begin_drain(self) -> None:
        """Refuse new requests and tell live connections to end."""
        if not self.gate.draining:
            self.gate.draining = True
            self._drained_by_s = asyncio.get_running_loop().time() + self.settings.drain_s
            self.drain.begin()

    async def drained(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Refuse new requests and wait for the admitted ones, for at most ``--drain``.

        Returns early if ``stop()`` is true. Hosts of the application should await this, or
        :meth:`shut_down`, before they close connections. May be called again.
        """
        self.begin_drain()
        clock = asyncio.get_running_loop().time
        while self.gate.inside and clock() < self._drained_by_s and not stop():
            await asyncio.sleep(DRAIN_TICK_S)

    async def shut_down(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Drain, then cancel what is left and free the models; if ``stop()``, without draining."""
        await self.drained(stop)
        closing = asyncio.ensure_future(self.close())
        while not closing.done() and not stop():
            await asyncio.wait({closing}, timeout=DRAIN_TICK_S)
        if closing.done():
            closing.result()

    async def transcribe(
        self,
        usage: AudioUsage,
        model: ServedModel,
        media: Media,
        name: str,
        options: Mapping[str, Any],
        *,
        channel: int | None = None,
    ) -> AsyncGenerator[Partial | Transcript, None]:
        """Transcribe a recording; yields partial results, and at the end the transcript.

        ``options`` are named as :meth:`quest22.Transcriber.transcribe`'s. Timestamps are on, as in
        ``quest22 transcribe``: a window is decoded differently without them, and the text must not
        depend on the format of a response. ``media`` may still be arriving (a function that opens a
        file whose reads wait). ``channel`` is the one to transcribe, counted from 0, instead of the
        mix of all. Leaving the iteration early cancels. Raises :class:`Refusal` for invalid options
        and unreadable audio.
        """
        clip_options = _clip_options(model, {"timestamps": True, **options})
        self._requests += 1
        key, most_s = f"request {self._requests}", usage.admission.limits.max_audio_s
        clip = Clip(key, name, media, Origin("request"), most_s=most_s)
        source: Clip | Audio = clip
        if channel is not None:
            audio = replace(model.pipeline.settings.audio, channel=channel)
            source = MediaDecoder(audio, self.models.metrics).decode(clip)
        with _refusing_usage():
            handle = model.loop.add(source, clip_options, priority=Priority.INTERACTIVE)
        try:
            async for event in handle:
                if isinstance(event, ClipProgressed):
                    for last in event.partial.committed[-1:]:
                        usage.reach(last.end_s)  # also counted if the client leaves early
                    yield event.partial
                elif isinstance(event, ClipDone):
                    yield _transcript(event.result, usage)
        finally:
            handle.cancel()

    @asynccontextmanager
    async def live(
        self, model: ServedModel, options: Mapping[str, Any], admission: Admission | None = None
    ) -> AsyncIterator[LiveSession]:
        """Open a live session; ``options`` are named as :meth:`quest22.Transcriber.live`'s.

        Its audio is counted on ``admission`` as it arrives.

        Leaving the block before the session's end cancels it. Raises :class:`Refusal` for invalid
        options. :mod:`quest22.server.live_feed` feeds it from a socket.
        """
        named = dict(options)
        with _refusing_usage():
            settings = ClipOptions.take_live(named, model.pipeline.settings.for_clips())
            refuse_unknown(named, LiveOptions)
            self._requests += 1
            name = f"live {self._requests}"
            session = model.loop.live(Clip(name, name, b"", Origin("live")), settings)
        if admission is not None:
            self._usage.add(session, admission)
        try:
            yield session
        finally:
            self._usage.remove(session)
            session.cancel()

    async def close(self) -> None:
        """Cancel what is left and free the models; may be called again."""
        actions, self.on_close = self.on_close, []
        for action in actions:
            action()
        await self.models.close()


def _clip_options(model: ServedModel, options: Mapping[str, Any]) -> ClipOptions | None:
    named = dict(options)
    with _refusing_usage():
        found = ClipOptions.take(named, model.pipeline.settings.for_clips())
        refuse_unknown(named, TranscribeOptions)
    return found


@contextmanager
def _refusing_usage() -> Iterator[None]:
    """Turn errors in options into refusals."""
    try:
        yield
    except UsageError as exc:
        raise Refusal("bad_request", str(exc)) from exc


def _transcript(result: Transcript | Failure, usage: AudioUsage) -> Transcript:
    if isinstance(result, Failure):
        if result.too_long:
            raise too_long(usage.admission.limits.max_audio_s)
        raise Refusal(FAULTS.get(result.stage, "failed"), result.reason, parameter="file")
    usage.reach(result.duration_s)
    return result


def too_long(most_s: float) -> Refusal:
    """The refusal of a recording that is too long."""
    message = f"the recording is longer than {hours(most_s)}: send it in parts"
    return Refusal("too_long", message, parameter="file")
