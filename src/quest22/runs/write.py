"""Writes every result of a run to a sink, in order, and emits events.

If it ends early, for whatever reason, what was written stays and the sink is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from quest22.metrics import Metrics
from quest22.protocols import Sink, Source
from quest22.records import Failure, Transcript
from quest22.runs.context import Load, RunContext
from quest22.runs.events import (
    OnEvent,
    ResultReady,
    ResultsEnded,
    ResultsStarted,
    WritingEnded,
    ignore_event,
)
from quest22.runs.journal import JournaledSink
from quest22.runs.summary import FailureBudget, RunStats, RunSummary
from quest22.runtime.build import Pipeline, with_model
from quest22.settings import PipelineSettings

if TYPE_CHECKING:
    from quest22.source.io.retry import RetryingClient


class Results(Protocol):
    """A pass over a source, such as :class:`quest22.runtime.build.Run`.

    ``total`` is the number of results, if the source knows it.
    """

    metrics: Metrics
    total: int | None

    def __iter__(self) -> Iterator[Transcript | Failure]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How results are written.

    ``total`` is the maximum number of results, if ``Results`` do not know it; results are added to
    ``stats``; ``budget`` limits the failures. ``progress``: also tell how far open clips are.
    """

    total: int | None = None
    stats: RunStats = field(default_factory=RunStats)
    budget: FailureBudget = field(default_factory=FailureBudget)
    progress: bool = False


def transcribe_into(
    sink: Callable[[], Sink],
    source: Callable[[RetryingClient], Source],
    settings: PipelineSettings,
    on_event: OnEvent = ignore_event,
    options: WriteOptions | None = None,
    load: Load = Pipeline,
) -> RunSummary:
    """Transcribe a source into a sink without a journal: an interrupted run starts over.

    The source and the sink are opened before the model is loaded, which takes long.
    """
    _, settings = with_model(settings)
    with RunContext(on_event, load) as context:
        clips = source(context.client(settings))
        opened = sink()
        on_progress = on_event if options is not None and options.progress else None
        results = context.pipeline(settings).run(clips, on_progress=on_progress)
        stats = write_results(results, opened, on_event, options)
    return RunSummary.of_one_process(stats, results.metrics)


def write_results(
    results: Results,
    sink: Sink,
    on_event: OnEvent = ignore_event,
    options: WriteOptions | None = None,
) -> RunStats:
    """Write all results, then complete a journaled sink.

    Always closes the sink and the results. Raises :class:`quest22.errors.TooManyFailuresError`
    before the failure that exceeds the limit is written.
    """
    options = options or WriteOptions()
    stats = options.stats
    total = options.total if results.total is None else results.total
    with (
        _telling_the_end(stats, results.metrics, on_event),
        closing(sink),
        closing(results),
        _telling_results(ResultsStarted(results.metrics, total), on_event),
    ):
        for result in results:
            options.budget.check(result, stats.failures + stats.open_ends)
            on_event(ResultReady(result))
            with results.metrics.time("sink"):
                sink.write(result)
            stats.add(result)
        if isinstance(sink, JournaledSink):
            sink.complete()
    return stats


@contextmanager
def _telling_results(started: ResultsStarted, on_event: OnEvent) -> Iterator[None]:
    on_event(started)
    try:
        yield
    finally:
        on_event(ResultsEnded())


@contextmanager
def _telling_the_end(stats: RunStats, metrics: Metrics, on_event: OnEvent) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        on_event(WritingEnded(stats, metrics, error))
        raise
    on_event(WritingEnded(stats, metrics, None))
