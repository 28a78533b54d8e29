"""Publishes a run's transcripts on the Hub while it runs."""

from __future__ import annotations

import re

from quest22.errors import UsageError
from quest22.runs.events import Published
from quest22.runs.journal import Journal
from quest22.runs.plan import flat_plan
from quest22.runs.sealed import without_secrets
from quest22.settings import RUN_FOLDER, HubSettings
from quest22.sink.build import FAILURES
from quest22.sink.hub.commit_files import HubTarget
from quest22.sink.hub.dataset_card import RunDescription
from quest22.sink.hub.hub_repository import HubRepository
from quest22.sink.hub.hub_sink import HubSink
from quest22.source.io.address import redact_text

HUB = "hub"
"""The sink's name, and its folder beside the journal, which is removed when the run is finished."""


class HubPublisher:
    """The repository that a run publishes to; connected once, before anything slow starts."""

    def __init__(self, settings: HubSettings) -> None:
        self._settings = settings
        self._repository: HubRepository | None = None

    def connect(self) -> HubRepository:
        """Find or create the repository; see :meth:`HubRepository.open` for what it raises."""
        if self._repository is None:
            self._repository = HubRepository.open(self._settings)
        return self._repository

    def open_sink(self, journal: Journal) -> HubSink:
        """The sink of a run, resumed at its recorded state."""
        state = journal.progress.sinks.get(HUB)
        begins_anew = bool(journal.request.get("replace")) and journal.progress.last is None
        return HubSink(self._target(journal, journal), self._settings, state, replace=begins_anew)

    def open_retry_sink(self, journal: Journal, retry: Journal) -> HubSink:
        """The sink of a retry, which has its own journal: it continues after the run's end.

        Successes are published in separate files, and failures are counted from zero.
        """
        at_end = journal.progress.sinks[HUB]
        counts = {**at_end["counts"], "failures": 0, "open_ends": 0, "reasons": {}}
        state = retry.progress.sinks.get(HUB) or {**at_end, "counts": counts}
        return HubSink(self._target(journal, retry), self._settings, state)

    def _target(self, journal: Journal, writer: Journal) -> HubTarget:
        """``journal`` describes the run; ``writer`` that of the outputs written now."""
        repository = self.connect()
        return HubTarget(
            repository,
            _description(repository, journal),
            writer.folder / RUN_FOLDER / HUB,
            writer.folder / FAILURES,
        )

    def published(self) -> Published:
        """The event that says where the transcripts are."""
        repository = self.connect()
        return Published(repository.url, repository.retries)


def publisher_of_finished(settings: HubSettings | None, journal: Journal) -> HubPublisher | None:
    """The publisher for a run's retry.

    Raises :class:`UsageError` if the run has not finished: its remaining rows come first.
    """
    if settings is None:
        return None
    if not journal.progress.finished:
        raise UsageError(
            f"the run that publishes {settings.repository} is not finished: finish it first (see "
            f"quest22 status {journal.folder}), then retry the failures"
        )
    return HubPublisher(settings)


def _description(repository: HubRepository, journal: Journal) -> RunDescription:
    """What is published about a run, without secrets."""
    plan = without_secrets(flat_plan(journal.plan))
    command = redact_text(str(journal.request.get("command") or "quest22 stream"))
    return RunDescription(repository.name, plan, command, split_name(str(plan["split"])))


def split_name(split: str) -> str:
    """A split as the name of one: ``train[:10%]`` is ``train_10``."""
    return re.sub(r"\W+", "_", split).strip("_") or "train"
