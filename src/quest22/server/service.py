"""What every protocol asks for: a recording's transcript, or a live session. Speaks no protocol."""

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

from quest22.audio.decode import MediaDecoder, is_too_long
from quest22.errors import Quest22Error, UsageError
from quest22.options import LiveOptions, TranscribeOptions
from quest22.records import Audio, Clip, Failure, Media, Origin, Partial, Transcript
from quest22.runtime.clip_state import Priority
from quest22.runtime.live_session import LiveSession
from quest22.runtime.scheduler import ClipDone, ClipProgressed
from quest22.server.access.gate import Admission, Gate
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
"""Stage of a failure → why; others are the server's own."""

COUNT_USAGE_S = 1.0
REFRESH_KEYS_S = 2.0
DRAIN_TICK_S = 0.05


@dataclass(slots=True)
class Service:
    """One server's engine, behind its gate."""

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
        """Do what the server does by itself until the block ends; then shut down."""
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
        """Set once the server is ending: a live connection then closes with 1012."""
        return self.drain.begun

    @asynccontextmanager
    async def session_registered(self, closer: Closer) -> AsyncIterator[None]:
        """Hold a live connection inside this block, so that it ends politely with the server.

        When the server begins to end, ``closer`` is called once, in a task of its own. It takes no
        more sound, and ends the session (``await feed.end()``), whose finals are then sent as at
        any end. Afterwards the protocol closes the connection with 1012 (``draining`` is set)
        rather than with what it would have, and leaves the block. What has not within ``--drain``
        is cut off.
        """
        async with self.drain.registered(closer):
            yield

    def begin_drain(self) -> None:
        """Let nobody else in, and tell live connections to end."""
        if not self.gate.draining:
            self.gate.draining = True
            self._drained_by_s = asyncio.get_running_loop().time() + self.settings.drain_s
            self.drain.begin()

    async def drained(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Let nobody else in, and wait until all have been served: for ``--drain`` at most.

        Ends early if ``stop`` says so. Hosts of the application should wait for this, or for
        :meth:`shut_down`, before they close connections. May be repeated.
        """
        self.begin_drain()
        clock = asyncio.get_running_loop().time
        while self.gate.inside and clock() < self._drained_by_s and not stop():
            await asyncio.sleep(DRAIN_TICK_S)

    async def shut_down(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Drain, then cancel what is left and free the models; ``stop``: without waiting for it."""
        await self.drained(stop)
        closing = asyncio.ensure_future(self.close())
        while not closing.done() and not stop():
            await asyncio.wait({closing}, timeout=DRAIN_TICK_S)
        if closing.done():
            closing.result()

    async def transcribe(
        self,
        admission: Admission,
        model: ServedModel,
        media: Media,
        name: str,
        options: Mapping[str, Any],
        *,
        channel: int | None = None,
    ) -> AsyncGenerator[Partial | Transcript, None]:
        """Transcribe a recording: what is known of it as it grows, in the end its transcript.

        ``options`` are named as :meth:`quest22.Transcriber.transcribe`'s; ``media`` may still be
        arriving (a function that opens a file whose reads wait). ``channel`` is the one to
        transcribe, counted from 0, instead of the mix of all. Leaving the iteration early cancels.
        Raises :class:`Refusal` for options that cannot be, and for what is no sound.
        """
        clip_options = _clip_options(model, options)
        self._requests += 1
        key, most_s = f"request {self._requests}", admission.limits.max_audio_s
        clip = Clip(key, name, media, Origin("request"), most_s=most_s)
        source: Clip | Audio = clip
        if channel is not None:
            audio = replace(model.pipeline.settings.audio, channel=channel)
            source = MediaDecoder(audio, self.models.metrics).decode(clip)
        with _refusing_usage():
            handle = model.loop.add(source, clip_options, priority=Priority.INTERACTIVE)
        counted_s = 0.0
        try:
            async for event in handle:
                if isinstance(event, ClipProgressed):
                    for last in event.partial.committed[-1:]:  # who leaves early owes it, too
                        admission.count_audio(max(0.0, last.end_s - counted_s))
                        counted_s = max(counted_s, last.end_s)
                    yield event.partial
                elif isinstance(event, ClipDone):
                    yield _transcript(event.result, admission, counted_s)
        finally:
            handle.cancel()

    @asynccontextmanager
    async def live(
        self, model: ServedModel, options: Mapping[str, Any], admission: Admission | None = None
    ) -> AsyncIterator[LiveSession]:
        """Open a live session; ``options`` are named as :meth:`quest22.Transcriber.live`'s.

        Its sound is counted on ``admission`` as it comes.

        Leaving the block before the session's end cancels it. Raises :class:`Refusal` for options
        that cannot be. For feeding it from a socket see :mod:`quest22.server.live_feed`.
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
        """Cancel what is left, and free the models; may be repeated."""
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
    """Tell whoever asked what was wrong with the options."""
    try:
        yield
    except UsageError as exc:
        raise Refusal("bad_request", str(exc)) from exc


def _transcript(result: Transcript | Failure, admission: Admission, counted_s: float) -> Transcript:
    if isinstance(result, Failure):
        if is_too_long(result):
            raise too_long(admission.limits.max_audio_s)
        raise Refusal(FAULTS.get(result.stage, "failed"), result.reason, parameter="file")
    admission.count_audio(max(0.0, result.duration_s - counted_s))
    return result


def too_long(most_s: float) -> Refusal:
    """What is said to a recording that is longer than its caller may send."""
    message = f"the recording is longer than {hours(most_s)}: send it in parts"
    return Refusal("too_long", message, parameter="file")
