"""Whether a window is transcribed in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from quest22.errors import EngineError
from quest22.server.operations import readiness
from quest22.server.operations.readiness import Readiness


class Model:
    name = "base"

    class loop:  # noqa: N801
        closed = False


class Models:
    names = ("base", "other")
    state_now = "loaded"
    loaded = (Model(),)

    def state(self, name: str) -> str:
        assert name == "base"
        return self.state_now


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Engine:
    """Answers when it may; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.may = asyncio.Event()
        self.may.set()
        self.error: Exception | None = None

    async def __call__(self, _: Any) -> None:
        self.asked += 1
        await self.may.wait()
        if self.error is not None:
            raise self.error


Check = Callable[[Readiness, Engine, Clock], Awaitable[None]]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PROBE_TIMEOUT_S", 0.01)


def run(check: Check, models: Models | None = None) -> None:
    async def work() -> None:
        engine, clock = Engine(), Clock()
        await check(Readiness(models or Models(), clock, engine), engine, clock)
        engine.may.set()
        await asyncio.sleep(0)

    asyncio.run(work())


async def said(ready: Readiness) -> tuple[bool, str]:
    verdict = await ready.verdict()
    return verdict.ready, verdict.status


def test_the_engine_is_asked_now_and_then() -> None:
    async def check(ready: Readiness, engine: Engine, clock: Clock) -> None:
        for _ in range(5):
            assert await said(ready) == (True, "ready")
        assert engine.asked == 1
        clock.now += 11
        await asyncio.gather(*(said(ready) for _ in range(5)))
        assert engine.asked == 2

    run(check)


def test_an_engine_that_is_slow_is_ready_and_one_that_is_stuck_is_not() -> None:
    async def check(ready: Readiness, engine: Engine, clock: Clock) -> None:
        assert await said(ready) == (True, "ready")
        engine.may.clear()
        clock.now += 11
        assert await said(ready) == (True, "ready")
        clock.now += 31
        assert (await said(ready))[0] is False
        assert "not answered for 30 s" in (await said(ready))[1]
        engine.may.set()
        await asyncio.sleep(0.01)
        assert await said(ready) == (True, "ready")
        assert engine.asked == 2

    run(check)


def test_one_that_has_never_answered_is_not_ready() -> None:
    async def check(ready: Readiness, engine: Engine, clock: Clock) -> None:
        engine.may.clear()
        assert await said(ready) == (False, "the engine has not answered yet")

    run(check)


def test_one_that_fails_is_asked_again() -> None:
    async def check(ready: Readiness, engine: Engine, clock: Clock) -> None:
        engine.error = EngineError("broken")
        assert await said(ready) == (False, "the engine fails")
        engine.error = None
        assert await said(ready) == (True, "ready")

    run(check)


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("loading", (False, "the model is being loaded")),
        ("failed", (False, "the model cannot be loaded")),
        ("idle", (True, "ready; the model is loaded when it is needed")),
    ],
)
def test_without_a_model_the_engine_is_not_asked(state: str, verdict: tuple[bool, str]) -> None:
    models = Models()
    models.state_now = state

    async def check(ready: Readiness, engine: Engine, clock: Clock) -> None:
        assert await said(ready) == verdict
        assert engine.asked == 0

    run(check, models)


def test_an_engine_whose_thread_has_died(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(ready: Readiness, engine: Engine, clock: Clock) -> None:
        assert await said(ready) == (False, "the engine has stopped")

    monkeypatch.setattr(Model.loop, "closed", True)
    run(check)
