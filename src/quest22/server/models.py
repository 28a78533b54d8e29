"""The served models: loaded on first use, released when idle."""

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
from quest22.server.abandonable import AbandonableThreads
from quest22.server.refusal import Refusal, shutting_down
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
"""OpenAI's model names, which stand for the first served model."""

RETRY_LOAD_S = 10.0
"""How long to wait before loading a model again that failed to load."""

Load = Callable[[PipelineSettings, Metrics], Pipeline]


@dataclass(slots=True, eq=False)
class ServedModel:
    """A loaded model, with the loop that all its requests share."""

    name: str
    pipeline: Pipeline
    loop: TranscriptionLoop
    users: int = 0
    used_s: float = 0.0

    def close(self) -> None:
        """Cancel what is left and free the memory."""
        self.loop.close(cancel=True)
        self.pipeline.close()


@dataclass(frozen=True, slots=True)
class _LoadFailure:
    """Why a model could not be loaded, and when to try again."""

    error: Quest22Error
    retry_s: float


@dataclass(slots=True)
class ModelPool:
    """The models of a server; for use in one event loop.

    ``served`` maps each name to a checkpoint (a short name, a repository or a folder); the first is
    the default. At most ``max_loaded`` are in memory, unless more are in use at once. Requests for
    a model that is being loaded wait for it; other requests do not.
    """

    served: Mapping[str, str]
    settings: PipelineSettings
    loop_settings: LoopSettings
    max_loaded: int = 1
    load: Load = Pipeline
    clock: Callable[[], float] = time.monotonic
    metrics: Metrics = field(default_factory=Metrics)
    _loaded: dict[str, ServedModel] = field(default_factory=dict)
    _loading: dict[str, asyncio.Task[ServedModel]] = field(default_factory=dict)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)
    _failed: dict[str, _LoadFailure] = field(default_factory=dict)
    _threads: AbandonableThreads = field(default_factory=AbandonableThreads)

    @property
    def names(self) -> Sequence[str]:
        """The names of the served models, the default first; without aliases."""
        return tuple(self.served)

    @property
    def loaded(self) -> Sequence[ServedModel]:
        """The models in memory."""
        return tuple(self._loaded.values())

    @property
    def is_loading(self) -> bool:
        """Whether a thread is still loading a model, even if nobody waits for it."""
        return self._threads.are_running

    def state(self, name: str) -> Literal["loaded", "loading", "failed", "idle"]:
        """The state of a served model."""
        if name in self._loaded:
            return "loaded"
        if name in self._loading:
            return "loading"
        return "failed" if name in self._failed else "idle"

    def resolve(self, name: str | None) -> str:
        """The name of a served model; raises :class:`Refusal` if it is not served."""
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
        """Load the model if necessary and keep it in memory until the block ends.

        Raises :class:`Refusal` if it is not served or cannot be loaded.
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
        """Load a served model if necessary.

        Unless it is borrowed, it may be released as soon as the caller awaits anything. Raises
        :class:`quest22.errors.Quest22Error` if it cannot be loaded; immediately if it just failed.
        Raises :class:`Refusal` if the pool is closed meanwhile.
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
            loading = self._loading[name]
            try:
                await asyncio.shield(loading)
            except asyncio.CancelledError:
                if loading.cancelled():  # and not the caller
                    raise shutting_down() from None
                raise
        return model

    async def release_idle(self, idle_s: float) -> None:
        """Free the memory of models that have not been used for ``idle_s``."""
        for model in self.loaded:
            if not model.users and self.clock() - model.used_s >= idle_s:
                self._release(model)
        await self._released()

    async def close(self) -> None:
        """Free all models. One that is still loading is not waited for, and freed once loaded."""
        loading = list(self._loading.values())
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)
        for model in self.loaded:
            self._release(model)
        await self._released()

    async def _load(self, name: str) -> ServedModel:
        try:
            self._make_room()
            await self._released()
            model = await self._threads.run(lambda: self._load_blocking(name), f"load {name}")
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

    def _load_blocking(self, name: str) -> ServedModel:
        """Load a model; called in a thread because it takes seconds."""
        engine = replace(self.settings.engine, model=self.served[name])
        pipeline = self.load(replace(self.settings, engine=engine), self.metrics)
        pipeline.warm_up()
        return ServedModel(name, pipeline, pipeline.loop(self.loop_settings))

    def _make_room(self) -> None:
        """Release idle models to make room for one that is counted as loading."""
        idle = sorted((each for each in self.loaded if not each.users), key=lambda one: one.used_s)
        surplus = len(self._loaded) + len(self._loading) - self.max_loaded
        for model in idle[: max(0, surplus)]:
            self._release(model)

    def _release(self, model: ServedModel) -> None:
        """Stop serving a model and free its memory in a thread."""
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
    """Mark the error as retrieved, even if nobody is waiting for it any more."""
    if not task.cancelled():
        task.exception()
