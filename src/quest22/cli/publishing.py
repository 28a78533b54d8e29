"""A journaled run whose transcripts are published on the Hub as it goes."""

from __future__ import annotations

import re
from typing import Any

from quest22.errors import UsageError
from quest22.runs.journal import Journal
from quest22.settings import RUN_FOLDER, HubSettings
from quest22.sink.build import FAILURES
from quest22.sink.hub.dataset_card import RunDescription
from quest22.sink.hub.hub_commit import HubTarget
from quest22.sink.hub.hub_repository import HubRepository
from quest22.sink.hub.hub_sink import HubSink
from quest22.source.io.address import redact_text

HUB = "hub"
"""The sink's name, and its folder beside the journal, gone when the run is finished."""


class Publishing:
    """Where a run publishes: reached once, before anything slow is begun."""

    def __init__(self, settings: HubSettings) -> None:
        self._settings = settings
        self._repository: HubRepository | None = None

    @property
    def name(self) -> str:
        """The dataset as the user names it."""
        return self._settings.repository

    def reach(self) -> HubRepository:
        """Find or make the repository; see :meth:`HubRepository.open` for what it raises."""
        if self._repository is None:
            self._repository = HubRepository.open(self._settings)
        return self._repository

    def open(self, journal: Journal) -> HubSink:
        """The sink of a run, from where it was."""
        repository = self.reach()
        told = _publication(repository, journal)
        workspace = journal.folder / RUN_FOLDER / HUB
        target = HubTarget(repository, told, workspace, journal.folder / FAILURES)
        kept = journal.mark.sinks.get(HUB)
        fresh = bool(journal.asked.get("replace")) and journal.mark.last is None
        return HubSink(target, self._settings, kept, replace=fresh)

    def open_again(self, journal: Journal, inner: Journal) -> HubSink:
        """The sink of a retry, whose own journal is ``inner``: it goes on behind the run's end.

        What succeeds now comes in files of its own, and the failures are counted anew.
        """
        repository = self.reach()
        target = HubTarget(
            repository,
            _publication(repository, journal),
            inner.folder / RUN_FOLDER / HUB,
            inner.folder / FAILURES,
        )
        ended = journal.mark.sinks[HUB]
        counts = {**ended["counts"], "failures": 0, "reasons": {}}
        kept = inner.mark.sinks.get(HUB) or {**ended, "counts": counts}
        return HubSink(target, self._settings, kept)

    def told(self) -> str:
        """A line for the end of a run."""
        repository = self.reach()
        again = f" ({repository.retries} requests had to be repeated)" * bool(repository.retries)
        return f"the dataset is at {repository.url}{again}"


def publishing_of(journal: Journal, token: str | None) -> Publishing | None:
    """Where a run that has ended published its transcripts, to publish there again.

    Raises :class:`UsageError` where it has not ended: rows wait that come first.
    """
    name = journal.plan.get("push_to_hub")
    if name is None:
        return None
    if not journal.mark.finished:
        raise UsageError(
            f"the run that publishes {name} is not finished: continue it to its end (quest22 "
            f"status {journal.folder} tells how), then retry what has failed"
        )
    return Publishing(HubSettings(name, token=token))


def _publication(repository: HubRepository, journal: Journal) -> RunDescription:
    """What is told of a run, nothing secret in it."""
    plan = {name: _public(value) for name, value in journal.plan.items()}
    command = redact_text(str(journal.asked.get("command", "quest22 stream")))
    return RunDescription(repository.name, plan, command, split_name(str(plan["split"])))


def split_name(split: str) -> str:
    """A split as the name of one: ``train[:10%]`` is ``train_10``."""
    return re.sub(r"\W+", "_", split).strip("_") or "train"


def _public(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    return [_public(item) for item in value] if isinstance(value, list | tuple) else value
