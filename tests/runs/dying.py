"""Pipelines that are interrupted in the middle of a run."""

from __future__ import annotations

from quest22.metrics import Metrics
from quest22.protocols import LongForm
from quest22.records import Clip
from quest22.runtime.build import PipelineSettings
from tests.torture.worker import DigestEngine, DigestStrategy, MixingPipeline


class DyingPipeline(MixingPipeline):
    """A pipeline whose strategy is interrupted at the seventh clip."""

    class _Dying(DigestStrategy):
        opened = 0

        def open(self, clip: Clip) -> LongForm:
            self.opened += 1
            if self.opened == 7:
                raise KeyboardInterrupt
            return super().open(clip)

    def __init__(self, settings: PipelineSettings, metrics: Metrics) -> None:
        super().__init__(settings, metrics)
        self._strategy = self._Dying()


class DyingDigestPipeline(DyingPipeline):
    """The same, with results that are a window's alone: clips run again meet other neighbours."""

    engine = DigestEngine
