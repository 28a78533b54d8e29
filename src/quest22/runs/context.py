"""The context of a run: its event callback, and how it gets its model and its network client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from quest22.metrics import Metrics
from quest22.runs.events import ModelLoaded, ModelLoading, OnEvent, ignore_event
from quest22.runtime.build import Pipeline, client_within
from quest22.settings import MemorySettings, PipelineSettings

if TYPE_CHECKING:
    from quest22.source.io.retry import RetryingClient

Load: TypeAlias = Callable[[PipelineSettings, Metrics], Pipeline]
"""Makes a pipeline from settings; it reports to these metrics."""

Connect: TypeAlias = "Callable[[MemorySettings, Metrics], RetryingClient]"
"""Makes the network client that the sources of a run share, within the run's memory limit."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """The context of one run; ``metrics`` are updated from its start."""

    on_event: OnEvent = ignore_event
    load: Load = Pipeline
    connect: Connect = client_within
    metrics: Metrics = field(default_factory=Metrics)

    def client(self, settings: PipelineSettings) -> RetryingClient:
        """The network client of the run's sources, within the run's memory limit."""
        return self.connect(settings.memory, self.metrics)

    def pipeline(self, settings: PipelineSettings) -> Pipeline:
        """Load the model and report it."""
        self.on_event(ModelLoading(settings.engine.model))
        pipeline = self.load(settings, self.metrics)
        self.on_event(ModelLoaded(pipeline.checkpoint_name, pipeline.compute_type))
        return pipeline


def reusing(pipeline: Pipeline) -> Load:
    """Return ``pipeline`` if it suits the run, else load another.

    A run continues with the commit, compute type and batch size with which it started.
    """
    own = pipeline.settings.engine

    def load(settings: PipelineSettings, metrics: Metrics) -> Pipeline:
        engine = settings.engine
        fits = (
            engine.revision in (own.revision, pipeline.checkpoint_revision)
            and engine.compute_type in (own.compute_type, pipeline.compute_type)
            and engine.batch_size in (own.batch_size, pipeline.batch_size)
        )
        return pipeline if fits else Pipeline(settings, metrics)

    return load
