"""Checks whether the engine works by transcribing a window, and caches the answer briefly."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np

from quest22.errors import EngineError
from quest22.records import SAMPLE_RATE_HZ, Audio, Clip, Failure, Origin
from quest22.runtime.clip_state import Priority
from quest22.server.models import ModelPool, ServedModel
from quest22.settings.clip_options import ClipOptions
from quest22.settings.decoding import DecodingSettings
from quest22.settings.longform import LongFormSettings
from quest22.settings.vad import VadSettings

_log = logging.getLogger("quest22.server")

VALID_S = 10.0
"""How long an answer of the engine is valid."""

STUCK_S = 30.0
"""An engine that does not answer within this time is stuck."""

PROBE_TIMEOUT_S = 0.8
"""How long a request waits for the engine: probes time out after a second."""

TONE_HZ, LOUDNESS = 220.0, 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the server is ready, and if not, why."""

    ready: bool
    status: str


@dataclass(slots=True)
class Readiness:
    """Probes the default model's engine unless it has answered recently; for use in one event loop.

    At most one window is probed at a time, so that health checks cost little. A model that
    has not been used yet is not loaded for them.
    """

    models: ModelPool
    clock: Callable[[], float] = time.monotonic
    probe: Callable[[ServedModel], Awaitable[None]] | None = None
    _answered_s: float | None = None
    _asked_s: float = 0.0
    _probing: asyncio.Task[None] | None = None
    _failure: str = field(default="")

    async def verdict(self) -> Verdict:
        """The current state; takes at most a second."""
        name = self.models.names[0]
        state = self.models.state(name)
        if state == "loading":
            return Verdict(False, "the model is being loaded")
        if state == "failed":
            return Verdict(False, "the model cannot be loaded")
        if state == "idle":
            return Verdict(True, "ready; the model is loaded when it is needed")
        model = next(each for each in self.models.loaded if each.name == name)
        if model.loop.closed:
            return Verdict(False, "the engine has stopped")
        return await self._of_engine(model)

    async def _of_engine(self, model: ServedModel) -> Verdict:
        now = self.clock()
        if self._probing is None and not self._is_younger(VALID_S):
            self._asked_s = now
            self._probing = asyncio.ensure_future(self._run_probe(model))
        if self._probing is not None:
            await asyncio.wait((self._probing,), timeout=PROBE_TIMEOUT_S)
        if self._probing is not None and self.clock() - self._asked_s > STUCK_S:
            return Verdict(False, f"the engine has not answered for {STUCK_S:g} s")
        if self._failure:
            return Verdict(False, "the engine fails")
        if self._is_younger(VALID_S + STUCK_S):
            return Verdict(True, "ready")
        return Verdict(False, "the engine has not answered yet")

    def _is_younger(self, age_s: float) -> bool:
        return self._answered_s is not None and self.clock() - self._answered_s <= age_s

    async def _run_probe(self, model: ServedModel) -> None:
        try:
            await (self.probe or transcribe_tone)(model)
            self._failure = ""
            self._answered_s = self.clock()
        except Exception as exc:
            self._failure = str(exc)
            _log.error("the engine fails at a window that asks whether it is ready: %s", exc)
        finally:
            self._probing = None


async def transcribe_tone(model: ServedModel) -> None:
    """Transcribe a tone, with priority over recordings."""
    clip = Clip("ready", "ready", b"", Origin("ready"))
    times_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    hum = (LOUDNESS * np.sin(2 * np.pi * TONE_HZ * times_s)).astype(np.float32)
    options = ClipOptions(
        decoding=DecodingSettings(
            language="en", max_new_tokens=1, temperature=(0.0,), audio_context="auto"
        ),
        longform=LongFormSettings(long_form="chunked"),
        vad=VadSettings(vad="off"),  # otherwise the tone is skipped as silence
    )
    handle = model.loop.add(
        Audio(clip, iter([hum])), options, priority=Priority.INTERACTIVE, within_s=0.0
    )
    try:
        async for _ in handle:
            pass
    finally:
        handle.cancel()
    result = handle.result(0)
    if isinstance(result, Failure):
        raise EngineError(result.reason)
