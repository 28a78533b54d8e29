"""Runs what failed in a run again and merges the results into its outputs.

The failed rows, and what is missing of data files, form a separate journaled run inside the run's
folder; when it has finished, merged outputs replace the old ones atomically. Whenever the process
dies, another rerun resumes, and each clip is in exactly one of transcripts and failures.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import chain
from pathlib import Path

from quest22.protocols import Sink
from quest22.records import Origin, Position, RowLocation
from quest22.runs.context import RunContext
from quest22.runs.edits import tell_edits
from quest22.runs.events import Resumable, RetryFinished
from quest22.runs.journal import MERGE, RETRY, Journal, JournaledSink, Progress
from quest22.runs.plan import whole_plan, with_places
from quest22.runs.publish import HUB, HubPublisher, publisher_of_finished
from quest22.runs.settings import RunSettings
from quest22.runs.source_log import SourceLog
from quest22.runs.store import RunStore
from quest22.runs.summary import RunStats
from quest22.runs.write import WriteOptions, write_results
from quest22.runtime.build import dataset_source
from quest22.settings import RUN_FOLDER, OutputSettings
from quest22.sink.build import FAILURES, open_folder_sinks
from quest22.sink.ledger import Entry
from quest22.sink.merge import Merge, Merged, Published, used_stems
from quest22.source.dataset import DatasetSource, ResumeState
from quest22.source.io.known_files import welcome_change
from quest22.source.row_positions import MissingRows, Selection

_SELECTION = "retried_only"
_OPEN_ENDS = "open ends"


class Rerun:
    """The rerun of what failed in a run whose store is locked, or only of its open ends."""

    def __init__(
        self,
        store: RunStore,
        journal: Journal,
        settings: RunSettings,
        context: RunContext,
        stats: RunStats,
        *,
        only_open_ends: bool = False,
    ) -> None:
        self._store = store
        self._journal = journal
        self._settings = settings
        self._only_open_ends = only_open_ends
        self._context = context
        self._stats = stats
        self._folder = store.folder
        self._earlier = Published(self._folder, journal.progress.sinks, journal.progress.finished)

    def perform(self) -> None:
        """Run the failed clips, unless an earlier retry did; merge the results into the outputs."""
        journal = self._journal
        publisher = publisher_of_finished(self._settings.push_to_hub, journal)
        retried = self._retry_journal()
        on_event = self._context.on_event
        tell_edits(self._settings.output(self._folder), journal.progress, on_event)
        if not retried.progress.finished:
            self._run(retried, publisher)
        later = Published(retried.folder, retried.progress.sinks, finished=True)
        journal.remove(MERGE)
        merged = Merge(self._earlier, later, self._folder / RUN_FOLDER / MERGE).write()
        progress = _merged_progress(journal.progress, retried.progress, merged)
        journal.replace_outputs(progress, merged.outdated)
        self._context.on_event(
            RetryFinished(
                self._folder,
                retried.progress.transcripts,
                progress.failures,
                progress.open_ends,
                accepted=self._context.accepts_missing,
            )
        )

    def _retry_journal(self) -> Journal:
        """The retry's own journal, either of an interrupted retry or a new one.

        An interrupted one goes on with what it had selected.
        """
        store = self._store.for_retry()
        digest = _digest(self._folder / FAILURES, self._journal.progress)
        plan = {**self._journal.plan, "retried": digest}
        journal = store.read_journal()
        if journal is not None and journal.plan == plan:
            return journal
        self._journal.remove(RETRY)
        only = {_SELECTION: _OPEN_ENDS} if self._only_open_ends else {}
        return store.begin_journal(plan, only)

    def _run(self, retried: Journal, publisher: HubPublisher | None) -> None:
        settings, context = self._settings, self._context
        tell_edits(settings.output(retried.folder), retried.progress, context.on_event)
        source = self._failed_rows(retried)
        pipeline = context.pipeline(settings.pipeline)
        plan = whole_plan(settings, pipeline, source.revision)
        self._journal.check(with_places(plan, settings.working_folder))
        sink = JournaledSink(self._open_sink(retried, publisher), retried)
        progress = self._journal.progress
        left = max(progress.failures + progress.open_ends - retried.progress.results, 0)
        try:
            results = pipeline.run(source, sink.replay, notes=sink.notes)
            write_results(
                results,
                sink,
                context.on_event,
                WriteOptions(None if progress.open_ends else left, self._stats),
            )
        except BaseException:
            context.on_event(Resumable(self._folder, retried.progress.results))
            raise

    def _failed_rows(self, retried: Journal) -> DatasetSource:
        """The rows that failed and have not been run again yet."""
        settings, progress = self._settings, retried.progress
        again = Published(retried.folder, progress.sinks, progress.finished)
        keys = (each.key for each in chain(self._earlier.entries(), again.entries()))
        client = self._context.client(settings.pipeline)
        client.known_files = SourceLog(self._folder, on_change=welcome_change)
        return dataset_source(
            settings.dataset,
            client,
            selected=self._selection(retried, again),
            earlier=ResumeState(keys, accepts_missing=self._context.accepts_missing),
        )

    def _selection(self, retried: Journal, again: Published) -> Selection:
        """What failed; a file whose rest was run again is left as that left it."""
        only_open_ends = retried.request.get(_SELECTION) == _OPEN_ENDS
        keys: dict[RowLocation, str] = {}
        missing: dict[str | None, MissingRows] = {}
        before: Entry | None = None
        for each in self._earlier.entries():
            if _is_open(each):
                missing[each.file] = _missing_from(each, before)
            if each.failed and (_is_open(each) or not only_open_ends):
                keys[each.file, each.row] = each.key
            before = each
        done: set[RowLocation] = set()
        for each in again.entries():
            done.add((each.file, each.row))
            if each.open_end:
                missing.pop(each.file, None)
        return Selection(keys, missing, done)

    def _open_sink(self, retried: Journal, publisher: HubPublisher | None) -> Sink:
        settings = self._settings
        output = OutputSettings(
            settings.formats, retried.folder, journaled=True, captions=settings.captions
        )
        stems = used_stems(self._earlier)
        lines = self._journal.progress.sinks.get("jsonl", {})
        columns = {"columns": lines.get("columns")}  # they stay what they are
        states = {"jsonl": columns, **retried.progress.sinks}
        sinks = open_folder_sinks(retried.folder, output, states, stems)
        if publisher is None:
            return sinks
        return sinks.with_sink(HUB, publisher.open_retry_sink(self._journal, retried))


def _is_open(entry: Entry) -> bool:
    """Whether an entry stands for the rest of a file; earlier versions wrote no mark for it."""
    return entry.open_end or (entry.failed and entry.row is None)


def _missing_from(entry: Entry, before: Entry | None) -> MissingRows:
    first = entry.row or 0
    precedes = before is not None and (before.file, before.row) == (entry.file, first - 1)
    return MissingRows(first, before.key if before is not None and precedes else None)


def _merged_progress(before: Progress, retried: Progress, merged: Merged) -> Progress:
    origin = before.last.origin if before.last else Origin("")
    entry = merged.last
    last: Position | None = None
    if entry is not None:
        results = merged.transcripts + merged.failures + merged.open_ends
        place = replace(origin, file=entry.file, row=entry.row)
        last = Position(results, entry.key, place, entry.open_end)
    published = {HUB: retried.sinks[HUB]} if HUB in retried.sinks else {}
    return replace(
        before,
        transcripts=merged.transcripts,
        failures=merged.failures,
        open_ends=merged.open_ends,
        audio_s=before.audio_s + retried.audio_s,
        last=last,
        sinks={**merged.sinks, **published},
    )


def _digest(path: Path, progress: Progress) -> str:
    """A digest of the state of a run's failures."""
    digest = hashlib.sha256(f"{progress.results} {progress.failures}".encode())
    with path.open("rb") as file:
        digest.update(file.read(int(progress.sinks["failures"]["bytes"])))
    return digest.hexdigest()
