"""A live session for the audio between two changes of the client's settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

from quest22.records import Samples
from quest22.runtime.live_session import LiveSession
from quest22.server.access.gate import Admission
from quest22.server.live_feed import end_session
from quest22.server.openai.realtime.settings import SessionSettings
from quest22.server.service import Service
from quest22.server.waiting import wait_for_room

OPENAI = "gpt-"
PIECE_S = 0.5
MIN_FLUSH_S = 0.01
"""Less audio than this needs no flush."""


class ConfiguredSession:
    """A live session with its settings.

    ``offset_s`` is how much audio came before it. ``flushes`` counts flushes that are not done.
    ``is_over``: it gets no more audio. ``is_discarded``: its remaining events are not sent.
    """

    def __init__(
        self, live: LiveSession, settings: SessionSettings, offset_s: float, stack: AsyncExitStack
    ) -> None:
        self.live = live
        self.settings = settings
        self.offset_s = offset_s
        self.flushes = 0
        self.is_over = False
        self.is_discarded = False
        self._stack = stack
        self._unflushed_s = MIN_FLUSH_S

    async def feed(self, samples: Samples, rate_hz: int) -> bool:
        """Feed ``[samples]`` or ``[samples, channels]``, waiting for room; False: it has ended.

        Raises :class:`quest22.errors.ClipError` if the session has failed, and
        :class:`quest22.errors.UsageError` for invalid samples.
        """
        for piece in _pieces(samples, max(1, round(PIECE_S * rate_hz))):
            await wait_for_room(self.live)
            if not self.live.feed(piece, rate_hz):
                return False
            self._unflushed_s += len(piece) / rate_hz
        return True

    @property
    def has_unflushed_audio(self) -> bool:
        """Whether there is audio since the last flush, or there was no flush."""
        return self._unflushed_s >= MIN_FLUSH_S

    async def flush(self) -> None:
        """Finalize what was said so far; a ``flushed`` event follows."""
        self.flushes += 1
        self._unflushed_s = 0.0
        await wait_for_room(self.live)
        self.live.flush()

    async def end(self) -> None:
        """End the audio."""
        self.is_over = True
        await end_session(self.live)

    async def close(self) -> None:
        """Release everything; text that is not final is lost."""
        await self._stack.aclose()


def _pieces(samples: Samples, size: int) -> Iterator[Samples]:
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


async def open_configured_session(
    service: Service, admission: Admission, settings: SessionSettings, offset_s: float
) -> ConfiguredSession:
    """Open a session; raises :class:`quest22.server.refusal.Refusal`.

    OpenAI's models that are not served, even those that answer, stand for the default model.
    """
    model = settings.transcription.model
    if model is not None and model not in service.models.names and model.startswith(OPENAI):
        model = None
    options = settings.live_options()
    async with AsyncExitStack() as opening:
        borrowed = await opening.enter_async_context(service.models.borrow(model))
        live = await opening.enter_async_context(service.live(borrowed, options, admission))
        return ConfiguredSession(live, settings, offset_s, opening.pop_all())
