"""What is counted of a recording, whoever asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from quest22.records import Origin, Partial, Segment, Transcript
from quest22.runtime.scheduler import ClipDone, ClipProgressed
from quest22.server.access.gate import Admission, AudioUsage, Caller, Gate
from quest22.server.models import ModelPool, ServedModel
from quest22.server.service import Service
from quest22.settings import PipelineSettings
from quest22.settings.server import ServerSettings

TWO = (Segment(0.0, 200.0, "one"), Segment(200.0, 290.0, "two"))


class Handle:
    """A clip in work: its events are known."""

    def __init__(self, events: Sequence[Any]) -> None:
        self._events = events
        self.cancelled = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self._events:
            yield event

    def cancel(self) -> None:
        self.cancelled = True


@pytest.mark.parametrize(("events_read", "counted_s"), [(1, 200.0), (2, 290.0), (3, 300.0)])
def test_who_leaves_early_owes_what_was_heard(events_read: int, counted_s: float) -> None:
    whole = Transcript("1", "talk", "one two", "en", 1.0, 300.0, TWO, Origin("request"))
    handle = Handle(
        [
            ClipProgressed(0, Partial(TWO[:1])),
            ClipProgressed(0, Partial(TWO)),
            ClipDone(0, whole),
        ]
    )
    settings = ServerSettings()
    loop = SimpleNamespace(add=lambda *_, **__: handle)
    model = SimpleNamespace(loop=loop, pipeline=SimpleNamespace(settings=PipelineSettings()))
    admission = Admission(Caller("desk"), "file")

    async def leave_early() -> None:
        service = Service(settings, cast("ModelPool", None), Gate(settings))
        usage = AudioUsage(admission)
        events = service.transcribe(usage, cast("ServedModel", model), b"", "recording", {})
        for _ in range(events_read):
            await anext(events)
        await events.aclose()

    asyncio.run(leave_early())
    assert admission.audio_s == pytest.approx(counted_s)
    assert handle.cancelled
