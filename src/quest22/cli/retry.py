"""``quest22 retry``: the failures of a run once more, and what comes of them put in their place.

The failed rows are run as a journaled run of their own, inside the run's folder; when it has
finished, the outputs are replaced by merged ones, all at once. Whenever the process dies, the same
command goes on, and each clip is in exactly one of transcripts and failures.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Annotated

from typer import Argument

from quest22.cli.exits import Exit, exit_for, say
from quest22.cli.figures import clip_count
from quest22.cli.flags import flag, grouped
from quest22.cli.output_options import ReportFlags
from quest22.cli.progress import RunInfo
from quest22.cli.publishing import HUB, Publishing, publishing_of
from quest22.cli.run import FailureBudget
from quest22.cli.shards import runs_in
from quest22.cli.work import configure_logging, write_results
from quest22.env import hub_token
from quest22.errors import UsageError
from quest22.metrics import Metrics
from quest22.records import Origin, Position
from quest22.runs.journal import MERGE, RETRY, Journal, JournaledSink, Progress, held
from quest22.runs.plan import RunSettings, settings_of
from quest22.runtime.build import Pipeline, client_within, dataset_source
from quest22.settings import RUN_FOLDER, EngineSettings, OutputSettings, PipelineSettings
from quest22.settings.forms import read_count_or_auto
from quest22.sink.build import FAILURES, CombinedSink, open_sinks
from quest22.sink.merge import Merge, Merged, Published, used_stems
from quest22.source.dataset import DatasetSource, ResumeState


@dataclass(frozen=True, slots=True)
class RetryFlags:
    """Which run, and what decides no results."""

    folder: Annotated[Path, Argument(metavar="FOLDER", help="The run's --output-dir.")]
    batch_size: Annotated[str, flag(EngineSettings, "batch_size")] = "auto"
    threads: Annotated[int | None, flag(EngineSettings, "threads")] = None
    token: Annotated[str | None, flag(EngineSettings, "token")] = None

    def engine(self) -> EngineSettings:
        return EngineSettings(
            batch_size=read_count_or_auto("batch_size", self.batch_size),
            threads=self.threads,
            token=self.token or hub_token(),
        )


@grouped
def retry(flags: RetryFlags, report: ReportFlags) -> int:
    """Run the failed clips of a run again, with its own settings.

    What succeeds moves from failures.jsonl to the transcripts, to its place
    in the source's order; what fails again stays. Interrupted, the same
    command goes on. Of a folder with shards, each is retried.
    """
    configure_logging(report)
    engine = flags.engine()
    runs = runs_in(flags.folder) or [flags.folder]
    codes = {Retry(folder, engine, report).perform() for folder in runs}
    grave = (Exit.INTERRUPTED, Exit.READER_GONE, Exit.SOME_FAILED, Exit.NOTHING_DONE)
    return next((code for code in grave if code in codes), Exit.DONE)


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry of the run in ``folder``; ``load`` makes a job of settings."""

    folder: Path
    engine: EngineSettings
    report: ReportFlags
    load: Callable[[PipelineSettings, Metrics], Pipeline] = Pipeline

    def perform(self) -> Exit:
        """Raises :class:`UsageError` where there is no run to retry."""
        if Journal.read(self.folder) is None:
            raise UsageError(f"{self.folder} holds no run: name the --output-dir of quest22 stream")
        with held(self.folder):
            journal = Journal.read(self.folder)
            if journal is None:
                raise UsageError(f"{self.folder} holds no run any more")
            journal.settle()
            if not journal.mark.failures:
                self._say(f"nothing to retry: {clip_count(journal.mark.transcripts)}, none failed")
                return exit_for(journal.mark.transcripts, 0)
            return self._again(journal)

    def _again(self, journal: Journal) -> Exit:
        publishing = publishing_of(journal, self.engine.token)
        first = Published(self.folder, journal.mark.sinks, journal.mark.finished)
        inner = self._inner(journal)
        if not inner.mark.finished:
            code = self._run(journal, inner, first, publishing)
            if not inner.mark.finished:
                return code
        later = Published(inner.folder, inner.mark.sinks, finished=True)
        journal.clear(MERGE)
        merged = Merge(first, later, self.folder / RUN_FOLDER / MERGE).write()
        journal.replace_outputs(_mark(journal.mark, inner.mark, merged), merged.outdated)
        return self._conclude(inner.mark, journal.mark)

    def _inner(self, journal: Journal) -> Journal:
        """The retry's own journal: of one that was interrupted, or a new one."""
        folder = self.folder / RUN_FOLDER / RETRY
        plan = {**journal.plan, "retried": _digest(self.folder / FAILURES, journal.mark)}
        inner = Journal.read(folder)
        if inner is not None and inner.plan == plan:
            return inner
        journal.clear(RETRY)
        return Journal.begin(folder, plan)

    def _run(
        self, journal: Journal, inner: Journal, first: Published, publishing: Publishing | None
    ) -> Exit:
        settings = settings_of(journal.plan, self.engine)
        metrics = Metrics()
        source = _failed_rows(settings, first, inner, metrics)
        if sys.stderr.isatty():
            self._say(f"loading {settings.job.engine.model} …")
        job = self.load(settings.job, metrics)
        journal.check(settings.plan(job, source.revision))
        output = OutputSettings(
            settings.formats, inner.folder, journaled=True, captions=settings.captions
        )
        sink = open_sinks(output, inner.mark.sinks, used_stems(first))
        if publishing is not None:
            sink = CombinedSink(sink, HUB, publishing.open_again(journal, inner))
        occasion = RunInfo(
            title=f"the failures in {self.folder} → {Path(job.checkpoint_name).name}",
            total=journal.mark.failures - inner.mark.results,
            failures_kept=True,
        )
        journaled = JournaledSink(sink, inner)
        results = job.run(source, journaled.memory)
        return write_results(results, journaled, self.report, occasion, FailureBudget())

    def _conclude(self, again: Progress, whole: Progress) -> Exit:
        failed = f", {whole.failures:,} still fail" if whole.failures else ", none fails any more"
        self._say(f"{clip_count(again.transcripts)} transcribed now{failed}")
        return exit_for(whole.transcripts, whole.failures)

    def _say(self, text: str) -> None:
        if not self.report.quiet:
            say(text)


def _failed_rows(
    settings: RunSettings, first: Published, inner: Journal, metrics: Metrics
) -> DatasetSource:
    """The rows that failed and have not been run again yet."""
    again = Published(inner.folder, inner.mark.sinks, inner.mark.finished)
    places = {(each.file, each.row): each.key for each in first.entries() if each.failed}
    done = {(each.file, each.row) for each in again.entries()}
    keys = (each.key for each in chain(first.entries(), again.entries()))
    network = client_within(settings.job.memory, metrics)
    earlier = ResumeState(keys, done_rows=done)
    return dataset_source(settings.dataset, network, places=places, earlier=earlier)


def _mark(before: Progress, again: Progress, merged: Merged) -> Progress:
    origin = before.last.origin if before.last else Origin("")
    entry = merged.last
    published = {HUB: again.sinks[HUB]} if HUB in again.sinks else {}
    return replace(
        before,
        transcripts=merged.transcripts,
        failures=merged.failures,
        audio_s=before.audio_s + again.audio_s,
        last=Position(
            merged.transcripts + merged.failures,
            entry.key,
            replace(origin, file=entry.file, row=entry.row),
        ),
        sinks={**merged.sinks, **published},
    )


def _digest(path: Path, mark: Progress) -> str:
    """What tells one state of a run's failures from another."""
    digest = hashlib.sha256(f"{mark.results} {mark.failures}".encode())
    with path.open("rb") as file:
        digest.update(file.read(int(mark.sinks["failures"]["bytes"])))
    return digest.hexdigest()
