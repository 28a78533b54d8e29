"""``quest22 retry``: runs the failed clips of a run again; see :mod:`quest22.runs.retry_failed`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from quest22.cli.exits import Exit
from quest22.cli.flag_groups import flag, grouped
from quest22.cli.output_flags import ReportFlags
from quest22.cli.progress import RunInfo
from quest22.cli.run import RunReporter, follow
from quest22.cli.terminal import configure_logging
from quest22.env import hub_token
from quest22.runs.retry_failed import retry as retry_run
from quest22.runs.store import LocalRunStore, RunStore
from quest22.runs.summary import RunStats
from quest22.settings import EngineSettings
from quest22.settings.forms import read_count_or_auto


@dataclass(frozen=True, slots=True)
class RetryFlags:
    """Which run, and options that do not affect results."""

    folder: Annotated[Path, Argument(metavar="FOLDER", help="Output folder of the run.")]
    batch_size: Annotated[str, flag(EngineSettings, "batch_size")] = "auto"
    threads: Annotated[int | None, flag(EngineSettings, "threads")] = None
    token: Annotated[str | None, flag(EngineSettings, "token")] = None
    accept_missing: Annotated[
        bool,
        Option(
            "--accept-missing",
            help="Count the run as finished without what still cannot be read of its data files.",
        ),
    ] = False

    dataset: Annotated[
        list[str] | None,
        Option(
            help="The address of the run's dataset or data file, in full, if it has a query or a "
            "password, which no run keeps. Repeat the flag for more.",
            metavar="URL",
        ),
    ] = None

    def engine(self) -> EngineSettings:
        return EngineSettings(
            batch_size=read_count_or_auto("batch_size", self.batch_size),
            threads=self.threads,
            token=self.token or hub_token(),
        )


@grouped
def retry(flags: RetryFlags, report: ReportFlags) -> int:
    """Run the failed clips of a run again with the run's settings.

    A clip that succeeds moves from failures.jsonl to its position in the transcripts; one that
    fails again stays. A run that stopped early is continued first, and data files that could not be
    read to their end are read on from there. After an interruption, repeat the command to continue.
    In a folder with shards, every shard is retried.
    """
    configure_logging(report)
    engine = flags.engine()
    store = LocalRunStore(flags.folder)
    codes = set()
    for each in store.runs() or [store]:
        codes.add(_retry(each, flags, engine, report))
        if Exit.INTERRUPTED in codes:
            break
    worst_first = (Exit.INTERRUPTED, Exit.INCOMPLETE, Exit.SOME_FAILED, Exit.NOTHING_DONE)
    return next((code for code in worst_first if code in codes), Exit.DONE)


def _retry(store: RunStore, flags: RetryFlags, engine: EngineSettings, report: ReportFlags) -> Exit:
    info = RunInfo(f"the failures in {store.folder}", failures_in_file=True)
    return follow(
        lambda on_event: retry_run(
            store,
            engine,
            on_event,
            addresses=flags.dataset or (),
            stats=RunStats(accepts_missing=flags.accept_missing),
        ),
        RunReporter(report, info),
    )
