"""Checkpoints by name: loaded when they are first used, released when nobody has for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from quest22.errors import Quest22Error
from quest22.runtime.build import Pipeline
from quest22.runtime.loop import LoopSettings, TranscriptionLoop
from quest22.server.refusal import Refusal
from quest22.settings import PipelineSettings

ALIASES = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-realtime-whisper",
    "gpt-live-transcribe",
)
"""What clients of OpenAI call a model when they mean any: the first one that is served."""

Load = Callable[[PipelineSettings], Pipeline]


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


@dataclass(slots=True)
class ModelPool:
    """The checkpoints of a server; for use in one event loop.

    ``served`` gives for each name what is loaded (a short name, a repository, a folder). The first
    is the default. At most ``most`` are in memory, unless more are in use at once.
    """

    served: Mapping[str, str]
    settings: PipelineSettings
    loop_settings: LoopSettings
    most: int = 1
    load: Load = Pipeline
    clock: Callable[[], float] = time.monotonic
    _loaded: dict[str, ServedModel] = field(default_factory=dict)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def names(self) -> Sequence[str]:
        """The names that may be asked for, the default first; without aliases."""
        return tuple(self.served)

    @property
    def loaded(self) -> Sequence[ServedModel]:
        """Those in memory."""
        return tuple(self._loaded.values())

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
        async with self._changing:
            model = self._loaded.get(resolved) or await self._load(resolved)
            model.users += 1
        try:
            yield model
        finally:
            model.users -= 1
            model.used_s = self.clock()

    async def release_idle(self, idle_s: float) -> None:
        """Free the memory of models that nobody has used for so long."""
        async with self._changing:
            for model in self.loaded:
                if not model.users and self.clock() - model.used_s >= idle_s:
                    await self._release(model)

    async def close(self) -> None:
        """Free all."""
        async with self._changing:
            for model in self.loaded:
                await self._release(model)

    async def _load(self, name: str) -> ServedModel:
        await self._make_room()
        try:
            model = await asyncio.to_thread(self._loaded_anew, name)
        except Quest22Error as exc:
            raise Refusal("failed", f"the model {name!r} cannot be loaded: {exc}") from exc
        model.used_s = self.clock()
        self._loaded[name] = model
        return model

    def _loaded_anew(self, name: str) -> ServedModel:
        """In a thread: loading takes seconds."""
        engine = replace(self.settings.engine, model=self.served[name])
        pipeline = self.load(replace(self.settings, engine=engine))
        pipeline.warm_up()
        return ServedModel(name, pipeline, pipeline.loop(self.loop_settings))

    async def _make_room(self) -> None:
        idle = sorted((each for each in self.loaded if not each.users), key=lambda one: one.used_s)
        for model in idle[: max(0, len(self._loaded) - self.most + 1)]:
            await self._release(model)

    async def _release(self, model: ServedModel) -> None:
        del self._loaded[model.name]
        await asyncio.to_thread(model.close)
