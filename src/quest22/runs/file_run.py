"""A run over files into a folder, which the same command continues where it stopped.

Its journal lies in a folder of its own below ``.quest22``, which is named after a digest of all
that decides the results: the files, the model and the settings. So the same command finds it, and
another one, which may use the same outputs' folder, doesn't. When the run is finished, its files
are recorded (:mod:`quest22.runs.done_files`) and its journal is removed: the same command then
leaves out what is done, and another one begins with what is not.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quest22.records import Clip, Failure
from quest22.runs.context import Load, RunContext
from quest22.runs.done_files import (
    STATE,
    TABLES,
    DoneFiles,
    has_run_over_files,
    refuse_additions,
    refuse_changes,
    settings_digest,
)
from quest22.runs.edits import tell_edits
from quest22.runs.events import (
    LeftOutDone,
    OnEvent,
    Resumable,
    Resuming,
    WritingEnded,
    ignore_event,
)
from quest22.runs.journal import Journal, JournaledSink
from quest22.runs.plan import pipeline_plan
from quest22.runs.sealed import Seal
from quest22.runs.store import LocalRunStore
from quest22.runs.summary import RunStats, RunSummary
from quest22.runs.write import WriteOptions, write_results
from quest22.runtime.build import Pipeline
from quest22.settings import RUN_FOLDER, OutputSettings, PipelineSettings
from quest22.sink.build import TRANSCRIPTS, open_folder_sinks, open_sinks, refuse_earlier_results
from quest22.sink.files import make_folder, writing
from quest22.sink.ledger import LEDGER, entries
from quest22.sink.recovery import remove_unpublished
from quest22.system.private_files import make_private_folder
from quest22.version import __version__

if TYPE_CHECKING:
    from quest22.source.files import FilesSource
    from quest22.source.io.retry import RetryingClient

DIGEST_DIGITS = 16


@dataclass(frozen=True, slots=True)
class FileRun:
    """Which files are transcribed, and how; ``output`` names a folder."""

    files: Callable[[RetryingClient], FilesSource]
    pipeline: PipelineSettings
    output: OutputSettings
    options: WriteOptions = field(default_factory=WriteOptions)


def transcribe_files(
    run: FileRun, on_event: OnEvent = ignore_event, load: Load = Pipeline
) -> RunSummary:
    """Transcribe files into a folder: what ``quest22 transcribe … -o FOLDER`` does.

    Continues the same run if that stopped early. What can be read only once, such as standard
    input, is transcribed without a journal.

    Raises:
        UsageError: The folder holds the transcripts of an earlier run, or another process does the
        same. Quest22Error: The model, a source or an output fails: see :mod:`quest22.errors`.
    """
    folder = run.output.folder or Path()
    with RunContext(on_event, load) as context:
        files = run.files(context.client(run.pipeline))
        identity = files.identity()
        make_folder(folder)
        if identity is None or not has_run_over_files(folder):
            refuse_earlier_results(run.output)  # now, before the model is loaded
        pipeline = context.pipeline(run.pipeline)
        if identity is None:
            return _without_journal(run, files, pipeline, on_event)
        plan = Seal(folder).plan(_plan(run, pipeline, identity))
        remaining = _Remainder.of(run, plan, files)
        if _record_finished(run, remaining):
            remaining = _Remainder.of(run, plan, files)
        if remaining.left_out:
            on_event(remaining.event(folder))
        if not len(remaining.files):
            return _nothing_to_do(pipeline, on_event)
        return _Journaled(run, remaining, on_event).perform(pipeline)


def _without_journal(
    run: FileRun, files: FilesSource, pipeline: Pipeline, on_event: OnEvent
) -> RunSummary:
    results = pipeline.run(files, on_progress=on_event)
    stats = write_results(results, open_sinks(run.output), on_event, run.options)
    return RunSummary.of_one_process(stats, results.metrics)


def _nothing_to_do(pipeline: Pipeline, on_event: OnEvent) -> RunSummary:
    stats, metrics = RunStats(), pipeline.metrics
    on_event(WritingEnded(stats, metrics, None))
    return RunSummary.of_one_process(stats, metrics)


@dataclass(frozen=True, slots=True)
class _Remainder:
    """The files of a run that are not done, with their plan.

    ``left_out`` are the addresses of the others; ``reserved`` the names of their captions;
    ``edited`` those that were changed. ``sinks`` is the state of tables to append to.
    """

    files: FilesSource
    plan: dict[str, Any]
    state: Path
    settings: str
    left_out: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    sinks: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, run: FileRun, plan: dict[str, Any], files: FilesSource) -> _Remainder:
        """What is left of ``files``. Raises UsageError for what cannot be added to a table."""
        folder = run.output.folder or Path()
        settings, done = settings_digest(plan), DoneFiles.read(folder)
        state = folder / RUN_FOLDER
        identities = plan["files"]
        if not run.output.overwrite and _is_interrupted(state / _state_name(plan)):
            return cls(files, plan, state / _state_name(plan), settings)
        begins_anew = run.output.overwrite or not done.has_tables(run.output, settings)
        if begins_anew and (run.output.overwrite or _has_tables(run.output)):
            return cls(files, plan, state / _state_name(plan), settings)
        finished = {at for at, each in enumerate(identities) if done.is_done(each, settings)}
        refuse_changes(run.output, done, done.changed(identities, settings))
        refuse_additions(run.output, done, len(identities) - len(finished))
        addresses = tuple(str(identities[at][0]) for at in sorted(finished))
        rest = [each for at, each in enumerate(identities) if at not in finished]
        plan = {**plan, "files": rest}
        return cls(
            files.without(finished),
            plan,
            state / _state_name(plan),
            settings,
            addresses,
            tuple(done.stems(addresses)),
            tuple(done.edited(addresses)),
            {"jsonl": done.tables["jsonl"]} if "jsonl" in run.output.formats else {},
        )

    def event(self, folder: Path) -> LeftOutDone:
        return LeftOutDone(folder, len(self.left_out), len(self.files), self.edited)


def _is_interrupted(state: Path) -> bool:
    journal = LocalRunStore(state).read_journal()
    return journal is not None and not journal.progress.finished


def _has_tables(output: OutputSettings) -> bool:
    return any(name in TABLES for name in output.formats)


def _record_finished(run: FileRun, remaining: _Remainder) -> bool:
    """Record a run that ended just before that was done; whether there is one."""
    store = LocalRunStore(remaining.state)
    journal = None if run.output.overwrite else store.read_journal()
    if journal is None or not journal.progress.finished:
        return False
    with store.lock():
        _Journaled(run, remaining, ignore_event).record(journal)
    return True


@dataclass(frozen=True, slots=True)
class _Journaled:
    """A run over what remains, with its journal in the remainder's ``state``."""

    run: FileRun
    remaining: _Remainder
    on_event: OnEvent

    def perform(self, pipeline: Pipeline) -> RunSummary:
        """Start or continue the run; its files are recorded and its journal removed at the end."""
        store = LocalRunStore(self.remaining.state)
        with writing(self._folder):
            make_private_folder(self._folder / RUN_FOLDER)
        with store.lock():
            journal = self._journal(store)
            summary = self._write(journal, pipeline)
            if journal.progress.finished:
                self.record(journal)
        return summary

    def record(self, journal: Journal) -> None:
        """Record the files of a finished run as done, then remove its journal."""
        done = DoneFiles.read(self._folder)
        states = journal.progress.sinks
        if _has_tables(self.run.output):
            if not self.remaining.left_out:
                done = DoneFiles(self._folder)  # the tables were begun anew
            done.tables = {"settings": self.remaining.settings, "jsonl": states.get("jsonl", {})}
        ledger = self.remaining.state / RUN_FOLDER / LEDGER
        written = {each.key for each in entries(ledger, states.get("ledger")) if not each.failed}
        clips = zip(self.remaining.plan["files"], self.remaining.files.names(), strict=True)
        transcribed = ((identity, name) for identity, (key, name) in clips if key in written)
        done.add(
            transcribed,
            self.remaining.settings,
            self.run.output.formats,
            self.remaining.reserved,
        )
        done.write()
        shutil.rmtree(self.remaining.state, ignore_errors=True)

    def _journal(self, store: LocalRunStore) -> Journal:
        """The journal of the interrupted run, which is reported, or a new one."""
        journal = None if self.run.output.overwrite else store.read_journal()
        if journal is not None and not journal.progress.finished:
            self.on_event(Resuming(self._folder, journal.progress.results))
            return journal
        if not self.remaining.sinks:
            refuse_earlier_results(self.run.output)
            self._remove_tables()
        journal = store.begin_journal(self.remaining.plan, {})
        if self.remaining.sinks:
            journal.commit(replace(journal.progress, sinks=self.remaining.sinks))
        return journal

    def _remove_tables(self) -> None:
        """Delete what the user wants to be overwritten."""
        for name in TABLES:
            path = self._folder / f"{TRANSCRIPTS}.{name}"
            if name in self.run.output.formats and path.exists():
                with writing(path):
                    path.unlink()

    @property
    def _folder(self) -> Path:
        return self.run.output.folder or Path()

    def _write(self, journal: Journal, pipeline: Pipeline) -> RunSummary:
        output = replace(self.run.output, journaled=True, journal_folder=self.remaining.state)
        begun = journal.progress
        tell_edits(output, begun, self.on_event)
        remove_unpublished(output, begun.sinks)
        sinks = open_folder_sinks(self._folder, output, begun.sinks, self.remaining.reserved)
        sink = JournaledSink(sinks, journal)
        results = pipeline.run(
            _Remaining(self.remaining.files, begun.results),
            sink.replay,
            on_progress=self.on_event,
            notes=sink.notes,
        )
        budget = replace(self.run.options.budget, earlier=begun.failures)
        options = replace(self.run.options, budget=budget)
        try:
            stats = write_results(results, sink, self.on_event, options)
        except BaseException:
            self.on_event(Resumable(self._folder, journal.progress.results))
            raise
        return RunSummary.of(journal.progress, stats, results.metrics)


@dataclass(frozen=True, slots=True)
class _Remaining:
    """The files after the first ``done``."""

    files: FilesSource
    done: int

    def __len__(self) -> int:
        return len(self.files) - self.done

    def __iter__(self) -> Iterator[Clip | Failure]:
        return islice(iter(self.files), self.done, None)


def _plan(run: FileRun, pipeline: Pipeline, identity: object) -> dict[str, Any]:
    """All that decides the results; rounding depends on the batch size."""
    return {
        "quest22": __version__,
        "files": identity,
        **pipeline_plan(run.pipeline, run.output.captions, run.output.formats),
        "model": {
            "name": run.pipeline.engine.model,
            "weights": pipeline.weights_fingerprint,
            "compute_type": pipeline.compute_type,
            "engine": pipeline.engine_name,
            "device": pipeline.device,
            "batch_size": pipeline.batch_size,
        },
    }


def _state_name(plan: dict[str, Any]) -> str:
    text = json.dumps(plan, sort_keys=True, default=str)
    return f"{STATE}-{hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]}"
