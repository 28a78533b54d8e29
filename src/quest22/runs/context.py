"""The context of a run: its event callback, and how it gets its model and its network client."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from quest22.metrics import Metrics
from quest22.runs.events import ModelLoaded, ModelLoading, OnEvent, ignore_event
from quest22.runtime.build import (
    Connect,
    Pipeline,
    client_within,
    network_client,
    with_model,
)
from quest22.settings import PipelineSettings

if TYPE_CHECKING:
    from quest22.source.io.retry import RetryingClient

_log = logging.getLogger("quest22")

Load: TypeAlias = Callable[[PipelineSettings, Metrics], Pipeline]
"""Makes a pipeline from settings; it reports to these metrics."""


@dataclass(frozen=True, slots=True)
class Reusing:
    """Makes pipelines by giving ``pipeline`` where it is what a run needs, else loading another.

    A run that was begun with another commit, compute type, batch size or engine goes on with those.
    """

    pipeline: Pipeline
    load: Load = Pipeline

    def __call__(self, settings: PipelineSettings, metrics: Metrics) -> Pipeline:
        return self.load(settings, metrics) if self.differences(settings) else self.pipeline

    def differences(self, settings: PipelineSettings) -> list[str]:
        """Why a run needs another pipeline; empty where it does not."""
        own, needed, loaded = self.pipeline.settings.engine, settings.engine, self.pipeline
        values = (
            ("revision", own.revision, loaded.checkpoint_revision, needed.revision),
            ("compute_type", own.compute_type, loaded.compute_type, needed.compute_type),
            ("batch_size", own.batch_size, loaded.batch_size, needed.batch_size),
            ("engine", own.engine, loaded.engine_name, needed.engine),
            ("device", own.device, loaded.device, needed.device),
        )
        return [
            f"{name} {of_run}, not {of_loaded}"
            for name, of_settings, of_loaded, of_run in values
            if of_run not in (of_settings, of_loaded)
        ]


@dataclass(frozen=True, slots=True)
class RunContext:
    """Passed along through one run; ``metrics`` are filled from its start.

    ``accepts_missing``: data files that cannot be read to their end never end the run.

    Closes at its end, as a context manager, the models that were loaded for it.
    """

    on_event: OnEvent = ignore_event
    load: Load = Pipeline
    connect: Connect = client_within
    metrics: Metrics = field(default_factory=Metrics)
    accepts_missing: bool = False
    _loaded: list[Pipeline] = field(default_factory=list)

    def __enter__(self) -> RunContext:
        return self

    def __exit__(self, *_: object) -> None:
        while self._loaded:
            self._loaded.pop().close()

    def client(self, settings: PipelineSettings) -> RetryingClient:
        """The network client of the run's sources."""
        return network_client(settings, self.metrics, self.connect)

    def pipeline(self, settings: PipelineSettings) -> Pipeline:
        """The model: the given one if it fits, else loaded for this run, which is reported."""
        model, settings = with_model(settings)
        reason = ""
        if isinstance(self.load, Reusing):
            differences = self.load.differences(settings)
            if not differences:
                return self.load.pipeline
            reason = f"the run was begun with {'; '.join(differences)}"
            _log.warning("loading %s a second time: %s", model, reason)
        self.on_event(ModelLoading(model, reason))
        pipeline = self.load(settings, self.metrics)
        self._loaded.append(pipeline)
        self.on_event(
            ModelLoaded(
                pipeline.checkpoint_name,
                pipeline.compute_type,
                pipeline.checkpoint_origin,
                pipeline.devices if len(pipeline.devices) > 1 else (),
            )
        )
        return pipeline
