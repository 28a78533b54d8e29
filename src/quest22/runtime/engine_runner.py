"""Runs batches through an engine, several at a time if it allows; a bad window fails alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quest22.errors import EngineError, Quest22Error
from quest22.metrics import Metrics
from quest22.protocols import Engine
from quest22.records import Hypothesis, Window, WindowResult

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class RunningBatch:
    """Windows that an engine has begun; if it takes one batch at a time, they run in ``finish``."""

    windows: Sequence[Window]
    ticket: Any = None
    error: Exception | None = None


class BatchRunner:
    """Begins batches and finishes them in the same order.

    After one of the errors in ``retry_alone_on``, the windows of a batch run one by one, so that
    only the bad one fails; other errors are raised.
    """

    def __init__(
        self, engine: Engine, metrics: Metrics, retry_alone_on: type[Exception] = EngineError
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._retry_alone_on = retry_alone_on
        self.batches_in_flight = engine.batches_in_flight

    def begin(self, windows: Sequence[Window]) -> RunningBatch:
        """Start a batch."""
        if self.batches_in_flight == 1:
            return RunningBatch(windows)
        try:
            return RunningBatch(windows, ticket=self._engine.begin(windows))
        except self._retry_alone_on as error:
            return RunningBatch(windows, error=error)

    def finish(self, batch: RunningBatch) -> list[WindowResult]:
        """Wait for a batch; returns one result per window, in order."""
        try:
            hypotheses = self._hypotheses(batch)
        except self._retry_alone_on as error:
            if not isinstance(error, Quest22Error):
                _log.exception("a batch ended with an unexpected error")
            if len(batch.windows) > 1:
                return [result for window in batch.windows for result in self._run_alone(window)]
            return [
                WindowResult(batch.windows[0].fingerprint, None, str(error) or type(error).__name__)
            ]
        self._metrics.count("windows", len(batch.windows))
        pairs = zip(batch.windows, hypotheses, strict=True)
        return [WindowResult(window.fingerprint, hypothesis) for window, hypothesis in pairs]

    def abandon(self, batch: RunningBatch) -> None:
        """Finish a batch whose results are not needed, to free the engine."""
        if batch.ticket is not None:
            self._engine.abandon(batch.ticket)

    def _hypotheses(self, batch: RunningBatch) -> list[Hypothesis]:
        if batch.error is not None:
            raise batch.error
        if self.batches_in_flight == 1:
            return self._engine.run(batch.windows)
        return self._engine.finish(batch.ticket)

    def _run_alone(self, window: Window) -> list[WindowResult]:
        """The batch has left the engine, so another one may begin."""
        return self.finish(self.begin([window]))
