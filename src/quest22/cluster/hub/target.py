"""Which dataset on the Hub a plan's transcripts are published to, agreed on in the store."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from quest22.cluster.layout import HUB_TARGET
from quest22.cluster.object_store import ObjectStore
from quest22.errors import UsageError
from quest22.settings import HubSettings
from quest22.sink.hub.hub_repository import HubRepository


@dataclass(frozen=True, slots=True)
class PublishTarget:
    """A dataset repository; ``command`` is the one that made the plan, for the card.

    There is no token in it: each committer has its own.
    """

    repository: str
    private: bool = False
    command: str = ""

    def settings(self, token: str | None) -> HubSettings:
        """Settings to open the repository with."""
        return HubSettings(self.repository, private=self.private, token=token)


def found_target(target: PublishTarget, token: str | None) -> PublishTarget:
    """Find or create the dataset; gives its whole name.

    So a wrong name is told before anything slow begins. Raises what :meth:`HubRepository.open`
    does.
    """
    return replace(target, repository=HubRepository.open(target.settings(token)).name)


def write_target(store: ObjectStore, target: PublishTarget) -> PublishTarget:
    """Agree on a target, once; gives the one that holds.

    Raises :class:`UsageError` if the store's transcripts are published elsewhere.
    """
    store.create(HUB_TARGET, json.dumps(asdict(target), ensure_ascii=False).encode())
    agreed = read_target(store)
    if agreed is None or agreed.repository != target.repository:
        told = "nowhere" if agreed is None else agreed.repository
        raise UsageError(
            f"the transcripts of {store.shown} are published as {told} on the Hub, not as "
            f"{target.repository}: leave --push-to-hub out, or make a plan in another --store"
        )
    return agreed


def read_target(store: ObjectStore) -> PublishTarget | None:
    """The target of a plan; None if it is not published. Raises :class:`UsageError`."""
    stored = store.read(HUB_TARGET)
    if stored is None:
        return None
    try:
        return PublishTarget(**json.loads(stored.content))
    except (ValueError, TypeError) as exc:
        raise UsageError(
            f"{store.shown}/{HUB_TARGET} cannot be read ({exc}): use the version of quest22 that "
            "wrote it"
        ) from exc
