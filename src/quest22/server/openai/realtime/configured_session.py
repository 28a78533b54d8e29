"""A live session for the sound between two changes of what a client has set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

from quest22.records import Samples
from quest22.runtime.live_session import LiveSession
from quest22.server.access.gate import Admission
from quest22.server.live_feed import end_session
from quest22.server.openai.realtime.settings import SessionSettings
from quest22.server.service import Service
from quest22.server.waiting import room_in

OPENAI = "gpt-"
PIECE_S = 0.5
MIN_FLUSH_S = 0.01
"""Less sound than this is not worth a flush."""


class ConfiguredSession:
    """``offset_s`` is how much sound came before it; ``flushes`` how many are not done yet.

    ``is_over``: it gets no more sound; ``is_discarded``: what it has not told yet is not wanted.
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
        """Feed ``[samples]``, or ``[samples, channels]``, as room comes; False: none is needed.

        Raises :class:`quest22.errors.ClipError` if the session has failed, and
        :class:`quest22.errors.UsageError` for what is no sound.
        """
        for piece in _pieces(samples, max(1, round(PIECE_S * rate_hz))):
            await room_in(self.live)
            if not self.live.feed(piece, rate_hz):
                return False
            self._unflushed_s += len(piece) / rate_hz
        return True

    @property
    def has_news(self) -> bool:
        """Whether something was fed since the last flush, or there was none."""
        return self._unflushed_s >= MIN_FLUSH_S

    async def flush(self) -> None:
        """Make final what was said so far; a ``flushed`` event tells when it is."""
        self.flushes += 1
        self._unflushed_s = 0.0
        await room_in(self.live)
        self.live.flush()

    async def end(self) -> None:
        """No more sound comes."""
        self.is_over = True
        await end_session(self.live)

    async def close(self) -> None:
        """Free it; what is not final is lost."""
        await self._stack.aclose()


def _pieces(samples: Samples, size: int) -> Iterator[Samples]:
    for start in range(0, len(samples), size):
        yield samples[start : start + size]


async def open_configured_session(
    service: Service, admission: Admission, settings: SessionSettings, offset_s: float
) -> ConfiguredSession:
    """A session of a served model; raises :class:`quest22.server.refusal.Refusal`.

    A model of OpenAI's that is not served, also one that talks, stands for the default.
    """
    model = settings.transcription.model
    if model is not None and model not in service.models.names and model.startswith(OPENAI):
        model = None
    options = settings.live_options()
    async with AsyncExitStack() as opening:
        borrowed = await opening.enter_async_context(service.models.borrow(model))
        live = await opening.enter_async_context(service.live(borrowed, options, admission))
        return ConfiguredSession(live, settings, offset_s, opening.pop_all())
