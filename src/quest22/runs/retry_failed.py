"""Runs the failed clips of a run again and merges the results into its outputs.

The failed rows form a separate journaled run inside the run's folder; when it has finished, merged
outputs replace the old ones atomically. Whenever the process dies, another retry resumes, and each
clip is in exactly one of transcripts and failures.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import chain
from pathlib import Path

from quest22.protocols import Sink
from quest22.records import Origin, Position
from quest22.runs.context import Connect, Load, RunContext
from quest22.runs.events import (
    NothingToRetry,
    OnEvent,
    Resumable,
    RetryFinished,
    ignore_event,
)
from quest22.runs.journal import MERGE, RETRY, Journal, JournaledSink, Progress
from quest22.runs.plan import settings_from_plan, whole_plan
from quest22.runs.publish import HUB, HubPublisher, publisher_of_finished
from quest22.runs.store import LocalRunStore, RunStore, existing_journal
from quest22.runs.summary import RunStats, RunSummary
from quest22.runs.write import WriteOptions, write_results
from quest22.runtime.build import Pipeline, client_within, dataset_source
from quest22.settings import RUN_FOLDER, EngineSettings, OutputSettings
from quest22.sink.build import FAILURES, open_folder_sinks
from quest22.sink.merge import Merge, Merged, Published, used_stems
from quest22.source.dataset import DatasetSource, ResumeState


def retry(
    store: RunStore,
    engine: EngineSettings | None = None,
    on_event: OnEvent = ignore_event,
    *,
    stats: RunStats | None = None,
    load: Load = Pipeline,
    connect: Connect = client_within,
) -> RunSummary:
    """Run the failed clips of the run in ``store`` again with the run's settings.

    ``engine`` holds settings that do not affect results: batch size, threads, token. Successes move
    to their position in the transcripts; clips that fail again stay. After an interruption or an
    error, another call resumes the retry. Shards are retried one by one: see :meth:`RunStore.runs`.
    Results are added to ``stats``.

    Raises:
        UsageError: There is no run, or another process uses it. Quest22Error: The model, the source
        or an output fails: see :mod:`quest22.errors`.
    """
    existing_journal(store)  # before the lock, which would create the folder
    with store.lock(), RunContext(on_event, load, connect) as context:
        journal = existing_journal(store)
        journal.finish_replacement()
        stats = stats or RunStats()
        if not journal.progress.failures:
            on_event(NothingToRetry(store.folder, journal.progress.transcripts))
        else:
            _Retry(store, journal, engine or EngineSettings(), context, stats).perform()
        return RunSummary.of(journal.progress, stats, context.metrics)


def retry_all(
    folder: Path, engine: EngineSettings | None = None, on_event: OnEvent = ignore_event
) -> RunSummary:
    """Retry the run in a folder, or each shard; returns the sums over them.

    ``metrics`` are those of the last shard.
    """
    store, stats = LocalRunStore(folder), RunStats()
    summaries = [retry(each, engine, on_event, stats=stats) for each in store.runs() or [store]]
    return RunSummary(
        sum(each.transcripts for each in summaries),
        sum(each.failures for each in summaries),
        sum(each.audio_s for each in summaries),
        all(each.finished for each in summaries),
        stats,
        summaries[-1].metrics,
    )


class _Retry:
    """The retry of a run whose store is locked."""

    def __init__(
        self,
        store: RunStore,
        journal: Journal,
        engine: EngineSettings,
        context: RunContext,
        stats: RunStats,
    ) -> None:
        self._store = store
        self._journal = journal
        self._settings = settings_from_plan(journal.plan, engine)
        self._context = context
        self._stats = stats
        self._folder = store.folder
        self._earlier = Published(self._folder, journal.progress.sinks, journal.progress.finished)

    def perform(self) -> None:
        """Run the failed clips, unless an earlier retry did; merge the results into the outputs."""
        journal = self._journal
        publisher = publisher_of_finished(self._settings.push_to_hub, journal)
        retried = self._retry_journal()
        if not retried.progress.finished:
            self._run(retried, publisher)
        later = Published(retried.folder, retried.progress.sinks, finished=True)
        journal.remove(MERGE)
        merged = Merge(self._earlier, later, self._folder / RUN_FOLDER / MERGE).write()
        progress = _merged_progress(journal.progress, retried.progress, merged)
        journal.replace_outputs(progress, merged.outdated)
        self._context.on_event(
            RetryFinished(self._folder, retried.progress.transcripts, progress.failures)
        )

    def _retry_journal(self) -> Journal:
        """The retry's own journal, either of an interrupted retry or a new one."""
        store = self._store.for_retry()
        digest = _digest(self._folder / FAILURES, self._journal.progress)
        plan = {**self._journal.plan, "retried": digest}
        journal = store.read_journal()
        if journal is not None and journal.plan == plan:
            return journal
        self._journal.remove(RETRY)
        return store.begin_journal(plan, {})

    def _run(self, retried: Journal, publisher: HubPublisher | None) -> None:
        settings, context = self._settings, self._context
        source = self._failed_rows(retried)
        pipeline = context.pipeline(settings.pipeline)
        self._journal.check(whole_plan(settings, pipeline, source.revision))
        sink = JournaledSink(self._open_sink(retried, publisher), retried)
        left = self._journal.progress.failures - retried.progress.results
        try:
            results = pipeline.run(source, sink.replay)
            write_results(results, sink, context.on_event, WriteOptions(left, self._stats))
        except BaseException:
            context.on_event(Resumable(self._folder, retried.progress.results))
            raise

    def _failed_rows(self, retried: Journal) -> DatasetSource:
        """The rows that failed and have not been run again yet."""
        settings, progress = self._settings, retried.progress
        again = Published(retried.folder, progress.sinks, progress.finished)
        entries = self._earlier.entries()
        failed = {(each.file, each.row): each.key for each in entries if each.failed}
        done = {(each.file, each.row) for each in again.entries()}
        keys = (each.key for each in chain(self._earlier.entries(), again.entries()))
        return dataset_source(
            settings.dataset,
            self._context.client(settings.pipeline),
            places=failed,
            earlier=ResumeState(keys, done_rows=done),
        )

    def _open_sink(self, retried: Journal, publisher: HubPublisher | None) -> Sink:
        settings = self._settings
        output = OutputSettings(
            settings.formats, retried.folder, journaled=True, captions=settings.captions
        )
        stems = used_stems(self._earlier)
        lines = self._journal.progress.sinks.get("jsonl", {})  # the columns stay what they are
        states = {"jsonl": {**lines, "bytes": 0}, **retried.progress.sinks}
        sinks = open_folder_sinks(retried.folder, output, states, stems)
        if publisher is None:
            return sinks
        return sinks.with_sink(HUB, publisher.open_retry_sink(self._journal, retried))


def _merged_progress(before: Progress, retried: Progress, merged: Merged) -> Progress:
    origin = before.last.origin if before.last else Origin("")
    entry = merged.last
    published = {HUB: retried.sinks[HUB]} if HUB in retried.sinks else {}
    return replace(
        before,
        transcripts=merged.transcripts,
        failures=merged.failures,
        audio_s=before.audio_s + retried.audio_s,
        last=Position(
            merged.transcripts + merged.failures,
            entry.key,
            replace(origin, file=entry.file, row=entry.row),
        ),
        sinks={**merged.sinks, **published},
    )


def _digest(path: Path, progress: Progress) -> str:
    """A digest of the state of a run's failures."""
    digest = hashlib.sha256(f"{progress.results} {progress.failures}".encode())
    with path.open("rb") as file:
        digest.update(file.read(int(progress.sinks["failures"]["bytes"])))
    return digest.hexdigest()
