"""A store whose calls are repeated until it answers, for what has nothing else to do meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import TypeVar

from quest22.cluster.ledger import LedgerUnavailableError
from quest22.cluster.object_store import Entry, ObjectStore, Stored
from quest22.cluster.procedure import UNANSWERED
from quest22.system.retry import retry

_log = logging.getLogger("quest22")

T = TypeVar("T")


class PatientStore:
    """An :class:`quest22.cluster.object_store.ObjectStore` that never says it is unavailable.

    Only :meth:`write` is tried once: it renews leases, and the next renewal is as good.
    """

    def __init__(self, store: ObjectStore, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._sleep = sleep

    @property
    def shown(self) -> str:
        return self._store.shown

    def create(self, name: str, content: bytes | Path) -> bool:
        return self._insist(lambda: self._store.create(name, content))

    def write(self, name: str, content: bytes) -> None:
        self._store.write(name, content)

    def replace(self, name: str, content: bytes | Path, version: Hashable) -> bool:
        return self._insist(lambda: self._store.replace(name, content, version))

    def read(self, name: str) -> Stored | None:
        return self._insist(lambda: self._store.read(name))

    def exists(self, name: str) -> bool:
        return self._insist(lambda: self._store.exists(name))

    def holds(self, name: str, path: Path) -> bool:
        return self._insist(lambda: self._store.holds(name, path))

    def listing(self, folder: str) -> Iterator[Entry]:
        return iter(self._insist(lambda: list(self._store.listing(folder))))

    def _insist(self, call: Callable[[], T]) -> T:
        delays = UNANSWERED.delays()
        told = False

        def delay_after(exc: Exception) -> float:
            nonlocal told
            if not isinstance(exc, LedgerUnavailableError):
                raise exc
            if not told:
                _log.warning("%s; trying again until the store answers", exc)
            told = True
            return next(delays)

        return retry(call, delay_after, self._sleep)
