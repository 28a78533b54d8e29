"""A run over files into a folder, which the same command continues where it stopped.

Its journal lies in a folder of its own below ``.quest22``, which is named after a digest of all
that decides the results: the files, the model and the settings. So the same command finds it, and
another one, which may use the same outputs' folder, doesn't. It is removed when the run is
finished.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quest22.records import Clip, Failure
from quest22.runs.context import Load, RunContext
from quest22.runs.edits import tell_edits
from quest22.runs.events import OnEvent, Resumable, Resuming, ignore_event
from quest22.runs.journal import Journal, JournaledSink
from quest22.runs.plan import pipeline_plan
from quest22.runs.sealed import Seal
from quest22.runs.store import LocalRunStore
from quest22.runs.summary import RunSummary
from quest22.runs.write import WriteOptions, write_results
from quest22.runtime.build import Pipeline
from quest22.settings import RUN_FOLDER, OutputSettings, PipelineSettings
from quest22.sink.build import open_folder_sinks, open_sinks, refuse_earlier_results
from quest22.sink.files import make_folder
from quest22.sink.recovery import remove_unpublished
from quest22.version import __version__

if TYPE_CHECKING:
    from quest22.source.files import FilesSource
    from quest22.source.io.retry import RetryingClient

STATE = "files"
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
        if identity is None or not _states(folder):  # now, before the model is loaded
            refuse_earlier_results(run.output)
        pipeline = context.pipeline(run.pipeline)
        if identity is None:
            return _without_journal(run, files, pipeline, on_event)
        plan = Seal(folder).plan(_plan(run, pipeline, identity))
        return _Journaled(run, plan, folder / RUN_FOLDER / _state_name(plan), on_event).perform(
            files, pipeline
        )


def _without_journal(
    run: FileRun, files: FilesSource, pipeline: Pipeline, on_event: OnEvent
) -> RunSummary:
    results = pipeline.run(files, on_progress=on_event)
    stats = write_results(results, open_sinks(run.output), on_event, run.options)
    return RunSummary.of_one_process(stats, results.metrics)


@dataclass(frozen=True, slots=True)
class _Journaled:
    """A run whose journal lies in ``state``."""

    run: FileRun
    plan: dict[str, Any]
    state: Path
    on_event: OnEvent

    def perform(self, files: FilesSource, pipeline: Pipeline) -> RunSummary:
        """Start or continue the run; its journal is removed if it finishes."""
        store = LocalRunStore(self.state)
        with store.lock():
            summary = self._write(self._journal(store), files, pipeline)
        shutil.rmtree(self.state, ignore_errors=True)
        with suppress(OSError):  # another run's journal lies there too
            self.state.parent.rmdir()
        return summary

    def _journal(self, store: LocalRunStore) -> Journal:
        """The journal of the interrupted run, which is reported, or a new one."""
        journal = None if self.run.output.overwrite else store.read_journal()
        if journal is not None and not journal.progress.finished:
            self.on_event(Resuming(self._folder, journal.progress.results))
            return journal
        refuse_earlier_results(self.run.output)
        return store.begin_journal(self.plan, {})

    @property
    def _folder(self) -> Path:
        return self.run.output.folder or Path()

    def _write(self, journal: Journal, files: FilesSource, pipeline: Pipeline) -> RunSummary:
        output = replace(self.run.output, journaled=True, journal_folder=self.state)
        begun = journal.progress
        tell_edits(output, begun, self.on_event)
        remove_unpublished(output, begun.sinks)
        sink = JournaledSink(open_folder_sinks(self._folder, output, begun.sinks), journal)
        results = pipeline.run(
            _Remaining(files, begun.results),
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
            "batch_size": pipeline.batch_size,
        },
    }


def _state_name(plan: dict[str, Any]) -> str:
    text = json.dumps(plan, sort_keys=True, default=str)
    return f"{STATE}-{hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]}"


def _states(folder: Path) -> list[Path]:
    """Where runs over files into a folder that stopped early keep their journals."""
    return list((folder / RUN_FOLDER).glob(f"{STATE}-*"))
