"""How much of a plan is on the Hub, as the dataset there says. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

from quest22.cluster.hub.record import HubRecord
from quest22.cluster.hub.target import read_target
from quest22.cluster.layout import hub_published_name
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.retry_round import rounds
from quest22.cluster.status import ClusterStatus
from quest22.errors import Quest22Error
from quest22.settings import HubSettings
from quest22.sink.hub.hub_repository import HubRepository, RetryPolicy

PATIENCE = RetryPolicy(timeout_s=5.0)


@dataclass(frozen=True, slots=True)
class HubStatus:
    """How much of a plan is on the Hub."""

    repository: str
    units: int = 0
    files: int = 0
    transcripts: int = 0
    failures: int = 0
    finished: Annotated[bool, "All is there, also what the last round of retries has replaced."] = (
        False
    )
    reason: Annotated[str, "Why nothing is known; empty otherwise."] = ""


@dataclass(frozen=True, slots=True)
class PublishedClusterStatus(ClusterStatus):
    """The state of a plan, and how much of it is on the Hub."""

    hub: Annotated[HubStatus | None, "Null if it is not to be published."] = None

    @classmethod
    def of(cls, status: ClusterStatus, hub: HubStatus | None) -> PublishedClusterStatus:
        """Both together."""
        values = {each.name: getattr(status, each.name) for each in fields(status)}
        return cls(**values, hub=hub)


def hub_status(store: ObjectStore, token: str | None = None) -> HubStatus | None:
    """What is on the Hub; None if the plan is not to be published."""
    target = read_target(store)
    if target is None:
        return None
    settings = HubSettings(target.repository, token=token)
    try:
        stored = HubRepository.reading(settings, PATIENCE).snapshot().record
        record = HubRecord.from_json(stored or {})
    except Quest22Error as exc:
        return HubStatus(target.repository, reason=str(exc))
    except (KeyError, TypeError, ValueError):
        return HubStatus(target.repository, reason="nothing is published there yet")
    counts = record.counts
    return HubStatus(
        target.repository,
        record.units,
        len(record.files),
        counts.transcripts,
        counts.failures,
        record.finished and store.exists(hub_published_name(len(rounds(store)))),
    )
