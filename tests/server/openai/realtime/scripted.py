"""A service whose live sessions hear nothing: their events are put in by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from quest22.errors import ClipError
from quest22.records import LiveEvent, Samples
from quest22.server.access.gate import Admission, Caller
from quest22.server.openai.realtime.session import RealtimeSession
from quest22.server.openai.realtime.settings import SessionSettings
from quest22.server.refusal import Refusal
from quest22.server.service import Service
from tests.support.live_events import event

SILENCE = np.zeros(2_400, np.float32)
"""0.1 s."""


@dataclass(eq=False)
class ScriptedLive:
    """A live session; ``told`` is what was done with it."""

    options: Mapping[str, Any]
    told: list[str] = field(default_factory=list)
    fed_s: float = 0.0
    has_room: bool = True
    takes: bool = True
    error: ClipError | None = None
    segment: int = 0
    _events: asyncio.Queue[LiveEvent | None] = field(default_factory=asyncio.Queue)

    def feed(self, samples: Samples, rate_hz: float) -> bool:
        if self.error is not None:
            raise self.error
        if self.takes:
            self.fed_s += len(samples) / rate_hz
        return self.takes

    def flush(self) -> None:
        self.told.append(f"flush at {self.fed_s:.1f}")

    def end(self) -> None:
        self.told.append("end")

    def cancel(self) -> None:
        self.told.append("cancel")
        self.ends()

    def says(
        self, kind: Any, text: str = "", *, at_s: float = 1.0, stable: int | None = None
    ) -> None:
        """An event comes; words begin at 0 s."""
        told = event(kind, self.segment, text, stable)
        self._events.put_nowait(replace(told, audio_end_s=at_s) if not text else told)
        self.segment += kind == "final"

    def ends(self) -> None:
        self._events.put_nowait(None)

    def fails(self) -> None:
        self.error = ClipError("engine", "it broke")
        self.ends()

    async def __aiter__(self) -> AsyncIterator[LiveEvent]:
        while (found := await self._events.get()) is not None:
            yield found
        if self.error is not None:
            raise self.error


@dataclass
class Models:
    """Serves ``base`` and ``small``."""

    names: tuple[str, ...] = ("base", "small")
    borrowed: list[str] = field(default_factory=list)

    def resolve(self, name: str | None) -> str:
        if name is None or name == "whisper-1":
            return "base"
        if name not in self.names:
            raise Refusal("unknown_model", f"{name} is not served", parameter="model")
        return name

    @asynccontextmanager
    async def borrow(self, name: str | None) -> AsyncIterator[str]:
        self.borrowed.append(self.resolve(name))
        yield self.resolve(name)


@dataclass
class ScriptedService:
    models: Models = field(default_factory=Models)
    lives: list[ScriptedLive] = field(default_factory=list)

    @asynccontextmanager
    async def live(
        self, model: str, options: Mapping[str, Any], admission: Admission
    ) -> AsyncIterator[ScriptedLive]:
        if options.get("language") == "xx":
            raise Refusal("bad_request", "language is 'xx'")
        live = ScriptedLive(options)
        self.lives.append(live)
        try:
            yield live
        finally:
            live.told.append("closed")


class Client:
    """A session and what its client was sent."""

    def __init__(
        self, model: str | None = None, settings: SessionSettings | None = None, **more: Any
    ) -> None:
        self.service = ScriptedService()
        self.admission = Admission(Caller("test"), "live")
        self.events: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.session = RealtimeSession(
            cast("Service", self.service),
            self.admission,
            model,
            self._send,
            settings=settings,
            **more,
        )

    async def __aenter__(self) -> Client:
        await self.session.prepare()
        await self.session.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def _send(self, event: dict[str, Any]) -> None:
        await self.reads.wait()
        self.events.append(event)

    @property
    def live(self) -> ScriptedLive:
        """The live session that is fed."""
        return self.service.lives[-1]

    async def update(self, **given: Any) -> None:
        session = {"type": "transcription", "audio": {"input": given}}
        await self.session.receive({"type": "session.update", "session": session})

    async def commit(self) -> None:
        await self.session.receive({"type": "input_audio_buffer.commit"})

    async def clear(self) -> None:
        await self.session.receive({"type": "input_audio_buffer.clear"})

    async def feed(self, seconds: float = 0.1) -> None:
        await self.session.feed(np.zeros(round(24_000 * seconds), np.float32), 24_000)

    async def settle(self) -> None:
        """Let the session tell all that has come."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def told(self) -> list[str]:
        """Since the last call: types of events without their common beginnings, and texts."""
        await self.settle()
        events, self.events = self.events, []
        return [_short(each) for each in events]


def _short(event: dict[str, Any]) -> str:
    kind = event["type"].removeprefix("input_audio_buffer.")
    kind = kind.removeprefix("conversation.item.").removeprefix("input_audio_transcription.")
    told = event.get("delta", event.get("transcript"))
    if kind == "error":
        told = event["error"]["code"]
    return kind if told is None else f"{kind} {told}"
