"""Checkpoints by name: loaded when they are first used, released when nobody has for a while."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from quest22.errors import EngineError, Quest22Error, unexpected
from quest22.metrics import Metrics
from quest22.runtime.build import Pipeline
from quest22.runtime.loop import LoopSettings, TranscriptionLoop
from quest22.server.refusal import Refusal
from quest22.settings import PipelineSettings

_log = logging.getLogger("quest22.server")

ALIASES = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
    "gpt-realtime-whisper",
    "gpt-live-transcribe",
)
"""What clients of OpenAI call a model when they mean any: the first one that is served."""

RETRY_LOAD_S = 10.0
"""A model that could not be loaded is not tried again before."""

Load = Callable[[PipelineSettings, Metrics], Pipeline]


@dataclass(slots=True, eq=False)
class ServedModel:
    """A loaded checkpoint, with the loop that all requests share."""

    name: str
    pipeline: Pipeline
    loop: TranscriptionLoop
    users: int = 0
    used_s: float = 0.0

    def close(self) -> None:
        """Cancel what is left, and free the memory."""
        self.loop.close(cancel=True)
        self.pipeline.close()


@dataclass(frozen=True, slots=True)
class _LoadFailure:
    """Why a model could not be loaded, and when it may be tried again."""

    error: Quest22Error
    retry_s: float


@dataclass(slots=True)
class ModelPool:
    """The checkpoints of a server; for use in one event loop.

    ``served`` gives for each name what is loaded (a short name, a repository, a folder). The first
    is the default. At most ``most`` are in memory, unless more are in use at once. Those who ask
    for a model that is being loaded wait for it together, and nobody else waits.
    """

    served: Mapping[str, str]
    settings: PipelineSettings
    loop_settings: LoopSettings
    most: int = 1
    load: Load = Pipeline
    clock: Callable[[], float] = time.monotonic
    metrics: Metrics = field(default_factory=Metrics)
    _loaded: dict[str, ServedModel] = field(default_factory=dict)
    _loading: dict[str, asyncio.Task[ServedModel]] = field(default_factory=dict)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)
    _failed: dict[str, _LoadFailure] = field(default_factory=dict)

    @property
    def names(self) -> Sequence[str]:
        """The names that may be asked for, the default first; without aliases."""
        return tuple(self.served)

    @property
    def loaded(self) -> Sequence[ServedModel]:
        """Those in memory."""
        return tuple(self._loaded.values())

    def state(self, name: str) -> Literal["loaded", "loading", "failed", "idle"]:
        """What is known of a served model."""
        if name in self._loaded:
            return "loaded"
        if name in self._loading:
            return "loading"
        return "failed" if name in self._failed else "idle"

    def resolve(self, name: str | None) -> str:
        """The served name that is meant; raises :class:`Refusal` for one that is not served."""
        if not name or (name in ALIASES and name not in self.served):
            return self.names[0]
        if name not in self.served:
            raise Refusal(
                "unknown_model",
                f"the model {name!r} is not served here: expected {' or '.join(self.names)}",
                parameter="model",
            )
        return name

    @asynccontextmanager
    async def borrow(self, name: str | None) -> AsyncIterator[ServedModel]:
        """The model, loaded if need be; kept in memory until the block ends.

        Raises :class:`Refusal` for one that is not served, or cannot be loaded.
        """
        resolved = self.resolve(name)
        try:
            model = await self.get(resolved)
        except Quest22Error as exc:
            raise Refusal(
                "failed",
                f"the model {resolved!r} cannot be loaded; the server's log says why",
                retry_after_s=RETRY_LOAD_S,
            ) from exc
        model.users += 1
        try:
            yield model
        finally:
            model.users -= 1
            model.used_s = self.clock()

    async def get(self, name: str) -> ServedModel:
        """A served model, loaded if need be.

        It may be released as soon as the caller waits for anything, unless it is borrowed. Raises
        :class:`quest22.errors.Quest22Error` if it cannot be loaded; for some seconds at once.
        """
        while (model := self._loaded.get(name)) is None or model.loop.closed:
            if model is not None:  # its engine has died
                self._release(model)
            failure = self._failed.get(name)
            if failure is not None and self.clock() < failure.retry_s:
                raise failure.error
            if name not in self._loading:
                task = self._loading[name] = asyncio.ensure_future(self._load(name))
                task.add_done_callback(_take_error)
            await asyncio.shield(self._loading[name])
        return model

    async def release_idle(self, idle_s: float) -> None:
        """Free the memory of models that nobody has used for so long."""
        for model in self.loaded:
            if not model.users and self.clock() - model.used_s >= idle_s:
                self._release(model)
        await self._released()

    async def close(self) -> None:
        """Free all."""
        while self._loading:
            await asyncio.wait(list(self._loading.values()))
        for model in self.loaded:
            self._release(model)
        await self._released()

    async def _load(self, name: str) -> ServedModel:
        try:
            self._make_room()
            await self._released()
            model = await asyncio.to_thread(self._loaded_anew, name)
            model.used_s = self.clock()
            self._loaded[name] = model
            self._failed.pop(name, None)
            return model
        except Quest22Error as exc:
            _log.error("the model %r cannot be loaded: %s", name, exc)
            self._failed[name] = _LoadFailure(exc, self.clock() + RETRY_LOAD_S)
            raise
        except Exception as exc:
            _log.exception("the model %r cannot be loaded", name)
            error = EngineError(unexpected(exc))
            self._failed[name] = _LoadFailure(error, self.clock() + RETRY_LOAD_S)
            raise error from exc
        finally:
            del self._loading[name]

    def _loaded_anew(self, name: str) -> ServedModel:
        """In a thread: loading takes seconds."""
        engine = replace(self.settings.engine, model=self.served[name])
        pipeline = self.load(replace(self.settings, engine=engine), self.metrics)
        pipeline.warm_up()
        return ServedModel(name, pipeline, pipeline.loop(self.loop_settings))

    def _make_room(self) -> None:
        """Called by one that is being loaded, which is counted."""
        idle = sorted((each for each in self.loaded if not each.users), key=lambda one: one.used_s)
        surplus = len(self._loaded) + len(self._loading) - self.most
        for model in idle[: max(0, surplus)]:
            self._release(model)

    def _release(self, model: ServedModel) -> None:
        """Nobody gets it any more; its memory is freed in a thread."""
        del self._loaded[model.name]
        task = asyncio.ensure_future(_closed(model))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _released(self) -> None:
        if self._closing:
            await asyncio.wait(list(self._closing))


async def _closed(model: ServedModel) -> None:
    try:
        await asyncio.to_thread(model.close)
    except Exception:
        _log.exception("the model %r could not be closed", model.name)


def _take_error(task: asyncio.Task[ServedModel]) -> None:
    """It is told, also if those who waited for it have gone."""
    if not task.cancelled():
        task.exception()
