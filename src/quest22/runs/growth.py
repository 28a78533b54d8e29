"""Lets a run take more rows than it was begun with: what is done stays, and the rest follows."""

from __future__ import annotations

from dataclasses import replace

from quest22.runs.journal import Journal, Progress
from quest22.runs.settings import RunSettings
from quest22.settings import RUN_FOLDER
from quest22.sink.build import ROWS
from quest22.sink.merge import Published


def grow(journal: Journal, settings: RunSettings) -> bool:
    """Raise the number of rows of a run to that of ``settings``; True if they are more.

    A finished run goes on. Nothing is recorded until the journal's next commit. The rows of one
    shard depend on those of others, what is published on the Hub is identified by all its settings,
    and files that are not read to their end come first: such runs keep their number.
    """
    before, now = journal.plan["dataset"]["take"], settings.dataset.take
    alone = settings.dataset.num_shards == 1 and settings.push_to_hub is None
    if before is None or (now is not None and now <= before) or not alone:
        return False
    if journal.progress.finished and journal.progress.open_ends:
        return False
    if journal.progress.finished:
        journal.progress = _reopened(journal)
    journal.plan["dataset"] = {**journal.plan["dataset"], "take": now}
    return True


def _reopened(journal: Journal) -> Progress:
    """The progress of a finished run as that of one which is not: Parquet rows wait again."""
    progress = journal.progress
    sinks = dict(progress.sinks)
    if "parquet" in sinks:
        done = Published(journal.folder, sinks, finished=True)
        sinks["parquet"] = done.spooled(journal.folder / RUN_FOLDER / ROWS)
    return replace(progress, sinks=sinks, finished=False)
