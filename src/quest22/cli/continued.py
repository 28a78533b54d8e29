"""A stream into a folder: begun, continued where it stopped, or found finished.

Every result is written exactly once however often the process dies:
see :mod:`quest22.runs.journal`.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from quest22.cli.exits import Exit, exit_for, say
from quest22.cli.figures import clip_count
from quest22.cli.publishing import HUB, Publishing
from quest22.cli.run import FailureBudget
from quest22.cli.shards import SiblingShards, folder_of, reopen
from quest22.cli.work import (
    InputSpec,
    Work,
    configure_logging,
    occasion_of,
    tell_folder,
    write_results,
)
from quest22.errors import Quest22Error
from quest22.metrics import Metrics
from quest22.protocols import Sink, Source
from quest22.runs.journal import Journal, JournaledSink, Progress, held
from quest22.runs.plan import RunSettings
from quest22.runtime.build import Pipeline, client_within, dataset_source
from quest22.settings import RUN_FOLDER, DatasetSettings, OutputSettings, PipelineSettings
from quest22.settings.quantities import hours
from quest22.sink.build import (
    ROWS,
    CombinedSink,
    open_sinks,
    refuse_earlier_results,
    remove_results,
)
from quest22.sink.ledger import LEDGER, entries
from quest22.sink.recovery import remove_unpublished
from quest22.source.dataset import ResumeState

SECRETS = ("--token",)


@dataclass(frozen=True, slots=True)
class Stream:
    """What is asked for: rows into a folder.

    ``parent`` is the folder that the user named, which holds a folder a shard; ``command`` is how
    the user said it; ``load`` makes a job of settings.
    """

    work: Work
    rows: DatasetSettings
    title: str
    parent: Path
    command: str
    load: Callable[[PipelineSettings, Metrics], Pipeline] = Pipeline
    publishing: Publishing | None = None

    @property
    def folder(self) -> Path:
        """Where this run writes."""
        return folder_of(self.parent, self.rows)

    def output(self) -> OutputSettings:
        return replace(self.work.output_settings(), folder=self.folder, journaled=True)

    def settings(self) -> RunSettings:
        output = self.output()
        hub = self.publishing.name if self.publishing else None
        job = self.work.job_settings(output.formats)
        return RunSettings(self.rows, job, tuple(sorted(output.formats)), hub, output.captions)

    @property
    def restart(self) -> bool:
        return self.work.output.overwrite


def perform_journaled(stream: Stream) -> Exit:
    """Begin the run, continue it, or say that it is finished."""
    configure_logging(stream.work.report)
    stream.work.output.failures_borne()
    settings, output = stream.settings(), stream.output()
    refuse_without_journal(output)
    with held(stream.folder):
        company = SiblingShards.of(stream.parent, stream.rows)
        company.admit(settings, restart=stream.restart)
        journal = None if stream.restart else Journal.read(stream.folder)
        if journal is None:
            return _begin(stream, settings, output, company)
        journal.settle()
        journal.check_part(settings.known())
        settings = settings.as_begun(journal.plan, journal.asked)
        resolved = {name: journal.plan[name] for name in settings.asked()}
        if journal.mark.finished and settings.asked() == resolved:
            return _finished(stream, journal)
        return _continue(stream, settings, company, journal)


def refuse_without_journal(output: OutputSettings) -> None:
    """Refuse results in the folder that no journal explains, before anything is made there."""
    if not output.overwrite and Journal.read(output.folder or Path()) is None:
        refuse_earlier_results(output)


def _begin(
    stream: Stream, settings: RunSettings, output: OutputSettings, company: SiblingShards
) -> Exit:
    if company.journals:  # all read the same revision and run in the same precision
        first = company.journals[0]
        settings = settings.as_begun(first.plan, first.asked)
    company = company.taken_over()
    loaded = _load(stream, settings, company)
    asked = settings.asked() | {
        "command": stream.command,
        "replace": stream.restart,
        "batch_size": loaded.job.batch_size,
    }
    journal = Journal.begin(stream.folder, loaded.plan(settings), asked)
    if company.others:
        _tell(stream, f"going on with what {company.told()} have left in {stream.parent}")
    return _run(stream, loaded, journal, _open(stream, output, journal))


def _continue(
    stream: Stream, settings: RunSettings, company: SiblingShards, journal: Journal
) -> Exit:
    company = company.taken_over()
    loaded = _load(stream, settings, company, journal)
    journal.check(loaded.plan(settings))
    if journal.mark.finished:
        return _finished(stream, journal)
    _tell(stream, f"continuing after {_progress(journal.mark)} in {stream.folder}")
    reopen(journal)
    return _run(stream, loaded, journal, _open(stream, stream.output(), journal))


def _open(stream: Stream, output: OutputSettings, journal: Journal) -> Sink:
    """The sinks from where they were; first go what is not published and what is replaced."""
    remove_unpublished(output, journal.mark.sinks)
    if journal.mark.last is None and journal.asked.get("replace"):
        remove_results(stream.folder)
    sinks = open_sinks(output, journal.mark.sinks)
    if stream.publishing is None:
        return sinks
    return CombinedSink(sinks, HUB, stream.publishing.open(journal))


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    """A source that was found and a model."""

    job: Pipeline
    source: Source
    revision: str | None

    def plan(self, settings: RunSettings) -> dict[str, object]:
        return settings.plan(self.job, self.revision)


def _load(
    stream: Stream, settings: RunSettings, company: SiblingShards, journal: Journal | None = None
) -> _Loaded:
    """Find the source, behind what journals mark, then load the model, which may take long."""
    metrics = Metrics()
    if stream.publishing is not None:
        stream.publishing.reach()
    after = journal.mark.last if journal else None
    keys = _keys(stream, journal.mark) if journal else None
    earlier = ResumeState(keys, company.earlier())
    network = client_within(settings.job.memory, metrics)
    source = dataset_source(settings.dataset, network, after, earlier=earlier)
    if sys.stderr.isatty():
        _tell(stream, f"loading {settings.job.engine.model} …")
    return _Loaded(stream.load(settings.job, metrics), source, source.revision)


def _keys(stream: Stream, mark: Progress) -> Iterator[str]:
    """The keys that the run has given out, read when they are needed: there may be millions."""
    path = stream.folder / RUN_FOLDER / LEDGER
    return (entry.key for entry in entries(path, mark.sinks.get("ledger")))


def _run(stream: Stream, loaded: _Loaded, journal: Journal, sink: Sink) -> Exit:
    earlier = journal.mark
    journaled = JournaledSink(sink, journal)
    take = stream.rows.take if stream.rows.num_shards == 1 else None
    left = None if take is None else max(take - earlier.results, 0)
    speech = InputSpec(stream.title, lambda _: loaded.source, left)
    occasion = occasion_of(loaded.job, speech, stream.output())
    patience = FailureBudget(stream.work.output.failures_borne(), earlier.failures)
    try:
        code = write_results(
            loaded.job.run(loaded.source, journaled.memory),
            journaled,
            stream.work.report,
            occasion,
            patience,
        )
        tell_folder(stream.work, code, stream.folder)
    except Quest22Error:
        _tell(stream, f"{_progress(journal.mark)} are kept: the same command continues behind them")
        raise
    if journal.mark.finished:
        journal.clear(ROWS, HUB)
        if stream.publishing is not None:
            _tell(stream, stream.publishing.told())
    else:
        _tell(stream, f"the same command continues after {_progress(journal.mark)}")
        return code
    if earlier.results:
        _tell(stream, f"in all {_counts(journal.mark)}")
    return exit_for(journal.mark.transcripts, journal.mark.failures)


def _finished(stream: Stream, journal: Journal) -> Exit:
    mark = journal.mark
    _tell(stream, f"finished already: {_counts(mark)}; begin anew with --restart")
    if mark.failures:
        _tell(stream, f"run the failed clips again with: quest22 retry {stream.folder}")
    return exit_for(mark.transcripts, mark.failures)


def _progress(mark: Progress) -> str:
    return clip_count(mark.results)


def _counts(mark: Progress) -> str:
    failed = f" and {mark.failures:,} failed" if mark.failures else ""
    return f"{clip_count(mark.transcripts)}{failed} · {hours(mark.audio_s)} of sound"


def _tell(stream: Stream, text: str) -> None:
    if not stream.work.report.quiet:
        say(text)


def spoken_command(arguments: Sequence[str]) -> str:
    """A command line as one would type it again, without secrets and without ``--restart``."""
    kept: list[str] = []
    hidden = False
    for argument in arguments:
        name = argument.partition("=")[0]
        if hidden or name in (*SECRETS, "--restart", "--overwrite"):
            hidden = name in SECRETS and "=" not in argument and not hidden
            continue
        kept.append(argument)
    return shlex.join(["quest22", *kept])
