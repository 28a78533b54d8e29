"""Checkpoints by name: loaded once, waited for together, released when idle."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from quest22.errors import CheckpointError, Quest22Error
from quest22.metrics import Metrics
from quest22.runtime.loop import LoopSettings
from quest22.server.models import RETRY_LOAD_S, ModelPool
from quest22.server.refusal import Refusal
from quest22.settings import PipelineSettings


@dataclass
class FakeLoop:
    closed: bool = False

    def close(self, *, cancel: bool) -> None:
        self.closed = cancel


@dataclass
class FakePipeline:
    name: str | None
    closed: bool = False

    def warm_up(self) -> None:
        return None

    def loop(self, settings: LoopSettings) -> FakeLoop:
        return FakeLoop()

    def close(self) -> None:
        self.closed = True


@dataclass
class Loader:
    """Loads names; those that begin with "slow" wait until they may, "bad" ones fail."""

    begun: list[str | None] = field(default_factory=list)
    may: threading.Event = field(default_factory=threading.Event)
    error: Exception = field(default_factory=lambda: CheckpointError("no weights in /secret"))

    def __call__(self, settings: PipelineSettings, metrics: Metrics) -> Any:
        name = settings.engine.model
        self.begun.append(name)
        if name == "slow":
            assert self.may.wait(10)
        if name == "bad":
            raise self.error
        return FakePipeline(name)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def pool(loader: Loader, most: int = 2) -> ModelPool:
    served = {name: name for name in ("one", "two", "three", "slow", "bad")}
    return ModelPool(served, PipelineSettings(), LoopSettings(), most, loader, Clock())


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


async def used(models: ModelPool, name: str | None) -> Any:
    async with models.borrow(name) as model:
        return model


def names(models: ModelPool) -> list[str]:
    return sorted(model.name for model in models.loaded)


def test_a_model_is_loaded_once_for_all_and_others_are_not_held_up() -> None:
    async def work() -> None:
        loader = Loader()
        models = pool(loader)
        waiting = [asyncio.ensure_future(used(models, "slow")) for _ in range(3)]
        other = await asyncio.wait_for(used(models, "one"), 5)
        assert (other.name, models.state("slow")) == ("one", "loading")
        waiting[0].cancel()
        loader.may.set()
        cancelled, *found = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(cancelled, asyncio.CancelledError)
        assert found[0] is found[1]
        assert sorted(map(str, loader.begun)) == ["one", "slow"]
        await models.close()
        assert all(model.pipeline.closed for model in (other, found[0]))

    run(work)


def test_a_pool_that_is_closed_does_not_wait_for_what_it_loads() -> None:
    loader = Loader()

    async def work() -> None:
        models = pool(loader)
        waiting = [asyncio.ensure_future(used(models, "slow")) for _ in range(2)]
        await asyncio.sleep(0.01)
        await asyncio.wait_for(models.close(), 5)
        for each in waiting:
            with pytest.raises(Refusal, match="shutting down"):
                await each
        assert models.is_loading
        loader.may.set()
        while models.is_loading:
            await asyncio.sleep(0.01)
        assert not models.loaded

    run(work)


def test_aliases_and_unknown_names() -> None:
    models = pool(Loader())
    assert [models.resolve(name) for name in (None, "", "whisper-1", "two")] == [
        "one",
        "one",
        "one",
        "two",
    ]
    with pytest.raises(Refusal, match="'four' is not served here"):
        models.resolve("four")


def test_the_one_that_was_used_longest_ago_makes_room() -> None:
    async def work() -> None:
        models = pool(Loader())
        for name in ("one", "two"):
            await used(models, name)
            models.clock.now += 1
        await used(models, "one")
        await used(models, "three")
        assert names(models) == ["one", "three"]
        async with models.borrow("one"), models.borrow("three"), models.borrow("two"):
            assert names(models) == ["one", "three", "two"]  # all are in use
        await models.close()
        assert names(models) == []

    run(work)


def test_idle_models_are_released() -> None:
    async def work() -> None:
        models = pool(Loader())
        async with models.borrow("one") as one:
            await used(models, "two")
            models.clock.now += 60
            await models.release_idle(50)
            assert names(models) == ["one"]
        await models.release_idle(50)
        assert names(models) == ["one"]
        models.clock.now += 60
        await models.release_idle(50)
        assert (names(models), one.pipeline.closed) == ([], True)

    run(work)


@pytest.mark.parametrize("error", [CheckpointError("no weights in /secret"), ZeroDivisionError()])
def test_a_model_that_cannot_be_loaded_is_told_and_not_tried_at_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        loader = Loader(error=error)
        models = pool(loader)
        for _ in range(3):
            with pytest.raises(Refusal, match="'bad' cannot be loaded") as caught:
                await used(models, "bad")
            assert "/secret" not in caught.value.message
            assert caught.value.headers == {"Retry-After": "10"}
        assert (loader.begun, models.state("bad")) == (["bad"], "failed")
        models.clock.now += RETRY_LOAD_S
        with pytest.raises(Quest22Error):
            await models.get("bad")
        assert loader.begun == ["bad", "bad"]

    run(work)
    assert len(caplog.records) == 2


def test_a_model_whose_engine_has_died_is_loaded_again() -> None:
    async def work() -> None:
        loader = Loader()
        models = pool(loader)
        first = await used(models, "one")
        first.loop.closed = True
        second = await used(models, "one")
        assert second is not first
        assert loader.begun == ["one", "one"]
        await models.close()

    run(work)
