"""A ledger that workers on other machines ask, where they do not see the store's folder.

The actor runs on the machine with the folder and keeps its state there alone, so it may be killed
and started again at any time. Requests and finished units travel to it: text, never sound.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.exceptions import GetTimeoutError, RayError

from quest22.cluster.folder_store import FolderStore
from quest22.cluster.ledger import (
    Attempt,
    Claim,
    Counts,
    Index,
    Lease,
    LedgerUnavailableError,
    ShardView,
)
from quest22.cluster.plan import read_plan
from quest22.cluster.store_ledger import StoreLedger
from quest22.cluster.work import ledger_of
from quest22.errors import Quest22Error, unexpected

ANSWER_WITHIN_S = 30.0
"""A request that is not answered within this time may be repeated."""


class Refusal(NamedTuple):
    """An error as an answer, so that it arrives as it was raised."""

    error: Quest22Error


class LedgerActor:
    """A folder's ledger in a process of its own; calls are carried out one after another."""

    def __init__(self, folder: str) -> None:
        """Raises :class:`UsageError` if there is no plan in the folder."""
        store = FolderStore(Path(folder))
        self._ledger: StoreLedger = ledger_of(read_plan(store), store)

    def ask(self, name: str, *arguments: Any) -> Any:
        """The answer of the ledger's method ``name``, or a :class:`Refusal`."""
        return _answer(lambda: getattr(self._ledger, name)(*arguments))

    def commit(self, lease: Lease, content: bytes, counts: Counts) -> bool | Refusal:
        """Publish a unit whose file has this content; see :meth:`Ledger.commit`."""
        with tempfile.TemporaryDirectory(prefix="quest22-unit-") as folder:
            path = Path(folder) / "unit"
            path.write_bytes(content)
            attempt = Attempt(path, counts)
            answer: bool | Refusal = _answer(lambda: self._ledger.commit(lease, attempt))
            return answer


def _answer(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Quest22Error as exc:
        return Refusal(exc)
    except Exception as exc:  # else every worker would ask again for ever
        return Refusal(Quest22Error(f"the ledger failed: {unexpected(exc)}"))


class ActorLedger:
    """A :class:`quest22.cluster.ledger.Ledger` of ``units`` units that asks a :class:`LedgerActor`.

    An actor that is dead, starting again or silent is a :class:`LedgerUnavailableError`.
    """

    def __init__(self, actor: Any, units: int, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._actor = actor
        self._units = units
        self._answer_within_s = answer_within_s

    @property
    def units(self) -> int:
        return self._units

    def index(self) -> Index:
        found: Index = self._ask("index")
        return found

    def mark_taken(self, shard: int) -> None:
        self._ask("mark_taken", shard)

    def mark_closed(self, shard: int) -> None:
        self._ask("mark_closed", shard)

    def view(self, shard: int) -> ShardView:
        found: ShardView = self._ask("view", shard)
        return found

    def claim(self, lease: Lease) -> Claim:
        return Claim(self._ask("claim", lease))

    def renew(self, lease: Lease) -> bool:
        return bool(self._ask("renew", lease))

    def release(self, lease: Lease) -> None:
        self._ask("release", lease)

    def commit(self, lease: Lease, attempt: Attempt) -> bool:
        """Send a unit's file; only units that were never published, as workers of a plan have."""
        content = attempt.path.read_bytes()
        call = self._actor.commit.remote
        return bool(self._answered(lambda: call(lease, content, attempt.counts)))

    def settle(self, unit: int) -> None:
        self._ask("settle", unit)

    def fail(self, lease: Lease, reason: str, final: bool) -> None:
        self._ask("fail", lease, reason, final)

    def _ask(self, name: str, *arguments: Any) -> Any:
        return self._answered(lambda: self._actor.ask.remote(name, *arguments))

    def _answered(self, call: Callable[[], Any]) -> Any:
        try:
            answer = ray.get(call(), timeout=self._answer_within_s)
        except GetTimeoutError as exc:
            raise LedgerUnavailableError(
                f"the ledger has not answered within {self._answer_within_s:g} s"
            ) from exc
        except RayError as exc:
            raise LedgerUnavailableError(f"the ledger cannot be asked: {_first_line(exc)}") from exc
        if isinstance(answer, Refusal):
            raise answer.error
        return answer


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
