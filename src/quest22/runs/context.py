"""What every run is given: its callback, and where its model and its network come from."""

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
"""Makes a pipeline of settings; it is to fill these metrics."""

Connect: TypeAlias = "Callable[[MemorySettings, Metrics], RetryingClient]"
"""Makes the network client that the sources of a run share, within the run's memory."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """Passed along through one run; ``metrics`` are filled from its start."""

    on_event: OnEvent = ignore_event
    load: Load = Pipeline
    connect: Connect = client_within
    metrics: Metrics = field(default_factory=Metrics)

    def client(self, settings: PipelineSettings) -> RetryingClient:
        """The client of a run's sources, within the run's memory."""
        return self.connect(settings.memory, self.metrics)

    def pipeline(self, settings: PipelineSettings) -> Pipeline:
        """Load the model, and say so."""
        self.on_event(ModelLoading(settings.engine.model))
        pipeline = self.load(settings, self.metrics)
        self.on_event(ModelLoaded(pipeline.checkpoint_name, pipeline.compute_type))
        return pipeline


def reusing(pipeline: Pipeline) -> Load:
    """Give ``pipeline`` where it is what a run needs, else load another.

    A run that was begun with another commit, compute type or batch size goes on with those.
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
