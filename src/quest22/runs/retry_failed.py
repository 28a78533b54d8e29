"""Runs the failed clips of a run again, whether it was given up or not: ``quest22 retry``.

A run that stopped early is continued first. See :mod:`quest22.runs.rerun`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from quest22.runs.context import Load, RunContext
from quest22.runs.events import NothingToRetry, OnEvent, ignore_event
from quest22.runs.journal import Journal
from quest22.runs.journaled_run import continue_run
from quest22.runs.plan import settings_from_plan
from quest22.runs.rerun import Rerun
from quest22.runs.sealed import with_secrets
from quest22.runs.settings import RunSettings
from quest22.runs.store import LocalRunStore, RunStore, existing_journal
from quest22.runs.summary import RunStats, RunSummary
from quest22.runtime.build import Connect, Pipeline, client_within
from quest22.settings import EngineSettings


def retry(  # noqa: PLR0913 -- what is given, and what is made
    store: RunStore,
    engine: EngineSettings | None = None,
    on_event: OnEvent = ignore_event,
    *,
    addresses: Sequence[str] = (),
    stats: RunStats | None = None,
    load: Load = Pipeline,
    connect: Connect = client_within,
) -> RunSummary:
    """Run the failed clips of the run in ``store`` again with the run's settings.

    ``engine`` holds settings that do not affect results: batch size, threads, token. Successes move
    to their position in the transcripts; clips that fail again stay; data files that could not be
    read to their end are read on from there; if ``stats`` accept what is missing, the run counts as
    finished without what still cannot be read. After an interruption or an error, another call
    resumes the retry. Shards are retried one by one: see :meth:`RunStore.runs`. Results are added
    to ``stats``. ``addresses`` are those of the dataset, needed where they have a query or a
    password, which no journal keeps.

    Raises:
        UsageError: There is no run, or another process uses it. Quest22Error: The model, the source
        or an output fails: see :mod:`quest22.errors`.
    """
    existing_journal(store)  # before the lock, which would create the folder
    stats = stats or RunStats()
    accepts = stats.accepts_missing
    with store.lock(), RunContext(on_event, load, connect, accepts_missing=accepts) as context:
        journal = existing_journal(store)
        journal.finish_replacement()
        engine = engine or EngineSettings()
        if not journal.progress.finished:
            continue_run(_settings(journal, engine, addresses), store, context)
            journal = existing_journal(store)
        if journal.progress.failures or journal.progress.open_ends:
            settings = _settings(journal, engine, addresses)
            Rerun(store, journal, settings, context, stats).perform()
        else:
            on_event(NothingToRetry(store.folder, journal.progress.transcripts))
        if accepts and journal.progress.open_ends:
            journal.commit(replace(journal.progress, accepted=True))
        return RunSummary.of(journal.progress, stats, context.metrics)


def retry_all(
    folder: Path,
    engine: EngineSettings | None = None,
    on_event: OnEvent = ignore_event,
    addresses: Sequence[str] = (),
    *,
    accept_missing: bool = False,
) -> RunSummary:
    """Retry the run in a folder, or each shard; returns the sums over them.

    ``accept_missing``: it counts as finished without what still cannot be read. ``metrics`` are
    those of the last shard.
    """
    store, stats = LocalRunStore(folder), RunStats(accepts_missing=accept_missing)
    summaries = [
        retry(each, engine, on_event, addresses=addresses, stats=stats)
        for each in store.runs() or [store]
    ]
    return RunSummary(
        sum(each.transcripts for each in summaries),
        sum(each.failures for each in summaries),
        sum(each.audio_s for each in summaries),
        all(each.finished for each in summaries),
        stats,
        summaries[-1].metrics,
        sum(each.open_ends for each in summaries),
    )


def _settings(journal: Journal, engine: EngineSettings, addresses: Sequence[str]) -> RunSettings:
    settings = settings_from_plan(journal.plan, engine, journal.working_folder)
    command = f"quest22 retry {journal.folder}"
    dataset = with_secrets(settings.dataset, addresses, journal.seal, command)
    return replace(settings, dataset=dataset)
