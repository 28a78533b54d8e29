"""A run over a dataset into a folder: starts it, resumes it, or finds it finished.

Every result is written exactly once, however often the process dies: see
:mod:`quest22.runs.journal`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from quest22.metrics import Metrics
from quest22.protocols import Sink
from quest22.runs.context import Load, RunContext
from quest22.runs.edits import tell_edits, tell_edits_of_complete
from quest22.runs.events import (
    AlreadyFinished,
    OnEvent,
    Resumable,
    Resuming,
    RunFinished,
    ShardsTakenOver,
    ignore_event,
)
from quest22.runs.growth import grow
from quest22.runs.journal import WORKING_FOLDER, Journal, JournaledSink, Progress
from quest22.runs.plan import (
    as_begun,
    known_plan,
    pinned,
    requested,
    resolved,
    whole_plan,
    with_places,
)
from quest22.runs.publish import HUB, HubPublisher
from quest22.runs.rerun import Rerun
from quest22.runs.sealed import is_sealed
from quest22.runs.settings import RunSettings
from quest22.runs.shards import SiblingShards, reopen
from quest22.runs.source_log import SourceLog, tell_changes
from quest22.runs.store import RunStore
from quest22.runs.summary import FailureBudget, RunStats, RunSummary
from quest22.runs.write import WriteOptions, write_results
from quest22.runtime.build import Connect, Pipeline, client_within, dataset_source, with_model
from quest22.settings import RUN_FOLDER, OutputSettings
from quest22.sink.build import (
    NOTES,
    ROWS,
    open_folder_sinks,
    refuse_earlier_results,
    remove_results,
)
from quest22.sink.ledger import LEDGER, entries
from quest22.sink.recovery import remove_unpublished
from quest22.source.dataset import DatasetSource, ResumeState


def run(
    settings: RunSettings,
    store: RunStore,
    on_event: OnEvent = ignore_event,
    *,
    load: Load = Pipeline,
    connect: Connect = client_within,
    metrics: Metrics | None = None,
) -> RunSummary:
    """Transcribe a dataset into ``store``: what ``quest22 stream … -o FOLDER`` does.

    Resumes a run with these settings that stopped early; does nothing if it is finished. After an
    interruption or an error, the run can be resumed. ``load`` makes the pipeline, which updates
    ``metrics``; ``connect`` makes the network client of the source.

    Raises:
        UsageError: The store holds a run with other settings, or results without a journal, or
        another process uses it. TooManyFailuresError: More clips than ``settings.max_failures``
        have failed. Quest22Error: The model, the source or an output fails: see
        :mod:`quest22.errors`.
    """
    with RunContext(on_event, load, connect, metrics or Metrics()) as context:
        return _run_in(settings, store, context)


def _run_in(settings: RunSettings, store: RunStore, context: RunContext) -> RunSummary:
    context.metrics.reset()
    settings = settings.with_published_columns()
    own = store.for_shard(settings.dataset)
    _refuse_results_without_journal(settings.output(own.folder), own)
    with own.lock():
        siblings = SiblingShards.of(store, settings.dataset)
        siblings.check(settings)
        return _Run(settings, own, siblings, context).perform()


def _refuse_results_without_journal(output: OutputSettings, store: RunStore) -> None:
    """Refuse to write over results without a journal, before anything is created."""
    if not output.overwrite and store.read_journal() is None:
        refuse_earlier_results(output)


def continue_run(settings: RunSettings, store: RunStore, context: RunContext) -> None:
    """Continue the run in a store that is locked, with its own settings."""
    above = store.above(settings.dataset)
    _Run(settings, store, SiblingShards.of(above, settings.dataset), context).perform()


@dataclass(frozen=True, slots=True)
class _Run:
    """A run whose store is locked."""

    settings: RunSettings
    store: RunStore
    siblings: SiblingShards
    context: RunContext

    def perform(self) -> RunSummary:
        """Start the run, resume it, or find it finished."""
        journal = None if self.settings.restart else self.store.read_journal()
        if journal is None:
            return self._start()
        journal.finish_replacement()
        settings = as_begun(self.settings, journal.plan)
        known = with_places(known_plan(settings), settings.working_folder)
        taken = {**known["dataset"], "take": journal.plan["dataset"]["take"]}
        journal.check_known({**known, "dataset": taken})
        if not grow(journal, self.settings):
            journal.check_known(known)
        return self._resume(journal)

    def _start(self) -> RunSummary:
        settings = self.settings
        if self.siblings.shards:  # all shards read the same commit and run in the same precision
            first = self.siblings.shards[0].journal
            settings = pinned(settings, first.plan, first.request)
        settings = _naming_model(settings)
        siblings = self.siblings.take_over()
        ready = self._load(settings, siblings)
        request = requested(settings) | {
            "command": settings.command,
            WORKING_FOLDER: str(Path.cwd()),
            "replace": settings.restart,
            "batch_size": ready.pipeline.batch_size,
        }
        journal = self.store.begin_journal(ready.plan(settings), request)
        ready.log.begin()
        if siblings.differently_split:
            taken_over = ShardsTakenOver(siblings.store.folder, siblings.other_numbers)
            self.context.on_event(taken_over)
        return self._write(settings, ready, journal)

    def _resume(self, journal: Journal) -> RunSummary:
        settings = pinned(_spelt_as_begun(self.settings, journal), journal.plan, journal.request)
        if journal.progress.finished and requested(settings) == resolved(journal.plan):
            return self._ended_before(journal, settings)
        if not journal.progress.finished:
            tell_edits(settings.output(self.store.folder), journal.progress, self.context.on_event)
        ready = self._load(settings, self.siblings.take_over(), journal)
        journal.check(with_places(ready.plan(settings), settings.working_folder))
        if journal.progress.finished:
            return self._ended_before(journal, settings)
        self.context.on_event(Resuming(self.store.folder, journal.progress.results))
        reopen(journal)
        return self._write(settings, ready, journal)

    def _load(
        self, settings: RunSettings, siblings: SiblingShards, journal: Journal | None = None
    ) -> _Ready:
        """Open the source at the recorded position, then load the model, which takes long."""
        publisher = HubPublisher(settings.push_to_hub) if settings.push_to_hub else None
        if publisher is not None:
            publisher.connect()
        after = journal.progress.last if journal else None
        keys = _given_keys(self.store.folder, journal.progress) if journal else None
        client = self.context.client(settings.pipeline)
        log = SourceLog(self.store.folder, begins=journal is None)
        if journal is not None:
            log.forget(_files_with_open_end(self.store.folder, journal.progress))
        client.known_files = log
        source = dataset_source(
            settings.dataset,
            client,
            after,
            earlier=ResumeState(keys, siblings.completed(), self.context.accepts_missing),
        )
        return _Ready(self.context.pipeline(settings.pipeline), source, log, publisher)

    def _write(self, settings: RunSettings, ready: _Ready, journal: Journal) -> RunSummary:
        resumed = journal.progress.results > 0
        sink = JournaledSink(ready.open_sink(settings.output(self.store.folder), journal), journal)
        try:
            stats = write_results(
                ready.pipeline.run(ready.source, sink.replay, notes=sink.notes),
                sink,
                self.context.on_event,
                _write_options(settings, journal.progress),
            )
        except BaseException:
            self.context.on_event(Resumable(self.store.folder, journal.progress.results))
            raise
        journal.remove(ROWS, HUB, *NOTES.values())
        if ready.publisher is not None:
            self.context.on_event(ready.publisher.published())
        self.context.on_event(_finished(journal, resumed=resumed))
        return RunSummary.of(journal.progress, stats, self.context.metrics)

    def _ended_before(self, journal: Journal, settings: RunSettings) -> RunSummary:
        """Go on with what is missing of data files; with a complete run there is nothing to do."""
        done, stats = journal.progress, RunStats()
        if done.complete:
            output = settings.output(self.store.folder)
            tell_edits_of_complete(output, done, self.context.on_event)
            tell_changes(self.store.folder)
            counts = (done.transcripts, done.failures, done.audio_s, done.open_ends)
            self.context.on_event(AlreadyFinished(self.store.folder, *counts))
        else:
            self.context.on_event(Resuming(self.store.folder, done.results - done.open_ends))
            Rerun(self.store, journal, settings, self.context, stats, only_open_ends=True).perform()
        return RunSummary.of(journal.progress, stats, self.context.metrics)


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """An opened source, what is known of its files, a loaded model, and the publisher."""

    pipeline: Pipeline
    source: DatasetSource
    log: SourceLog
    publisher: HubPublisher | None

    def plan(self, settings: RunSettings) -> dict[str, object]:
        return whole_plan(settings, self.pipeline, self.source.revision)

    def open_sink(self, output: OutputSettings, journal: Journal) -> Sink:
        """Open the sinks at their recorded state; first remove unpublished and replaced output."""
        remove_unpublished(output, journal.progress.sinks)
        if journal.progress.last is None and journal.request.get("replace"):
            remove_results(journal.folder)
        sinks = open_folder_sinks(journal.folder, output, journal.progress.sinks)
        if self.publisher is None:
            return sinks
        return sinks.with_sink(HUB, self.publisher.open_sink(journal))


def _spelt_as_begun(settings: RunSettings, journal: Journal) -> RunSettings:
    """Settings that name the dataset as the run's results do, wherever they are given."""
    begun, now = journal.plan["dataset"], settings.dataset
    files = tuple(begun["data_files"])
    if any(map(is_sealed, (begun["path"], *files))) or (begun["path"], files) == (
        now.path,
        now.data_files,
    ):
        return settings
    folder = journal.working_folder
    return replace(
        settings,
        dataset=replace(now, path=begun["path"], data_files=files, working_folder=folder),
    )


def _naming_model(settings: RunSettings) -> RunSettings:
    """Before anything is opened, as there may be no model to take."""
    _, pipeline = with_model(settings.pipeline)
    return replace(settings, pipeline=pipeline)


def _write_options(settings: RunSettings, progress: Progress) -> WriteOptions:
    take = settings.dataset.take if settings.dataset.num_shards == 1 else None
    return WriteOptions(
        total=None if take is None else max(take - progress.results, 0),
        budget=FailureBudget(settings.max_failures, progress.failures + progress.open_ends),
    )


def _files_with_open_end(folder: Path, progress: Progress) -> Iterator[str]:
    """The data files that are read on from where they could not be read: they may be mended."""
    path = folder / RUN_FOLDER / LEDGER
    for entry in entries(path, progress.sinks.get("ledger")) if progress.open_ends else ():
        if entry.open_end and entry.file is not None:
            yield entry.file


def _given_keys(folder: Path, progress: Progress) -> Iterator[str]:
    """The keys that the run has assigned; read lazily, because there may be millions."""
    path = folder / RUN_FOLDER / LEDGER
    return (entry.key for entry in entries(path, progress.sinks.get("ledger")))


def _finished(journal: Journal, *, resumed: bool) -> RunFinished:
    done = journal.progress
    counts = (done.transcripts, done.failures, done.audio_s)
    return RunFinished(journal.folder, *counts, resumed=resumed, open_ends=done.open_ends)
