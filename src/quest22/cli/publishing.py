"""A journaled run whose transcripts are published on the Hub as it goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from quest22.errors import UsageError
from quest22.journal import Journal
from quest22.settings import RUN_FOLDER
from quest22.sink.card import Publication
from quest22.sink.hub import HubSink
from quest22.sink.open import FAILURES
from quest22.sink.repository import HubRepository, HubSettings
from quest22.sink.shipping import HubTarget
from quest22.source.address import public_text

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
        """Find or make the repository; see :meth:`HubRepository.reach` for what it raises."""
        if self._repository is None:
            self._repository = HubRepository.reach(self._settings)
        return self._repository

    def open(self, journal: Journal) -> HubSink:
        """The sink of a run, from where it was."""
        repository = self.reach()
        plan = {name: _public(value) for name, value in journal.plan.items()}
        told = Publication(
            repository.name,
            plan,
            public_text(str(journal.asked.get("command", "quest22 stream"))),
            split_name(str(plan["split"])),
        )
        workspace = journal.folder / RUN_FOLDER / HUB
        target = HubTarget(repository, told, workspace, journal.folder / FAILURES)
        kept = journal.mark.sinks.get(HUB)
        fresh = bool(journal.asked.get("replace")) and journal.mark.last is None
        return HubSink(target, self._settings, kept, replace=fresh)

    def told(self) -> str:
        """A line for the end of a run."""
        repository = self.reach()
        again = f" ({repository.retries} requests had to be repeated)" * bool(repository.retries)
        return f"the dataset is at {repository.url}{again}"


def refuse_retry(plan: Mapping[str, Any]) -> None:
    """Refuse to change results here that are published elsewhere as they are."""
    name = plan.get("push_to_hub")
    if name is not None:
        raise UsageError(
            f"the transcripts are published as {name}, which a retry cannot change: stream "
            "anew with --restart, or into another folder without --push-to-hub"
        )


def split_name(split: str) -> str:
    """A split as the name of one: ``train[:10%]`` is ``train_10``."""
    return re.sub(r"\W+", "_", split).strip("_") or "train"


def _public(value: Any) -> Any:
    if isinstance(value, str):
        return public_text(value)
    return [_public(item) for item in value] if isinstance(value, list | tuple) else value
