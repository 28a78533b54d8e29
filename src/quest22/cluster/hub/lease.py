"""The lease of the one committer that publishes a plan's transcripts.

It saves work and keeps commits apart in time; it is not what makes them safe. Two committers that
both think they have it cannot do harm, because a commit names the one that it follows.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from quest22.cluster.layout import HUB_LEASES
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.store_ledger import RELEASED, UnitState
from quest22.errors import Quest22Error

LEASE_S = 120.0
POLLS = 8
"""How often a lease that somebody has is looked at until it may have expired."""


class CommitterLease:
    """Held from :meth:`acquire` to :meth:`release`, and renewed by a thread meanwhile.

    As for units of work, no clocks are compared: whoever waits watches whether the lease changes.
    """

    def __init__(
        self,
        store: ObjectStore,
        name: str,
        lease_s: float = LEASE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._name = name
        self._lease_s = lease_s
        self._sleep = sleep
        self._epoch = 0
        self._beats = 0
        self._over = threading.Event()

    @property
    def is_first(self) -> bool:
        """Whether nobody had the lease before."""
        return self._epoch == 1

    def acquire(self, on_wait: Callable[[str], None] | None = None) -> bool:
        """Take the lease; if another committer has it, wait for it, or give up without ``on_wait``.

        ``on_wait`` is told once who has it. False: not taken.
        """
        seen: tuple[int, object] | None = None
        unchanged_s = 0.0
        while True:
            state = self._state()
            held = state.holding()
            if not held.epoch or held.given_up or unchanged_s > self._lease_s:
                if self._take(held.epoch + 1):
                    return True
                continue
            if on_wait is None:
                return False
            if seen is None:
                on_wait(self._holder(held.epoch))
            if seen != (held.epoch, held.version):
                seen, unchanged_s = (held.epoch, held.version), 0.0
            self._sleep(self._lease_s / POLLS)
            unchanged_s += self._lease_s / POLLS

    def release(self) -> None:
        """Give the lease back, so that another committer need not wait."""
        if self._epoch and not self._over.is_set():
            self._over.set()
            self._store.create(f"{self._lease}.{RELEASED}", b"")

    @property
    def _lease(self) -> str:
        return f"{HUB_LEASES}/e{self._epoch}"

    def _state(self) -> UnitState:
        return UnitState.of((entry.name, entry) for entry in self._store.listing(HUB_LEASES))

    def _take(self, epoch: int) -> bool:
        name, content = f"{HUB_LEASES}/e{epoch}", self._content()
        if not self._store.create(name, content):
            taken = self._store.read(name)  # perhaps by us, if the answer was lost
            if taken is None or taken.content != content:
                return False
        self._epoch = epoch
        threading.Thread(target=self._renew, daemon=True, name="quest22-hub-lease").start()
        return True

    def _renew(self) -> None:
        while not self._over.wait(self._lease_s / 3):
            with suppress(Quest22Error):  # told by the committer, which uses the same store
                self._store.write(self._lease, self._content())

    def _content(self) -> bytes:
        """Never the same twice, so that each renewal changes the lease's version."""
        self._beats += 1
        return json.dumps({"committer": self._name, "beat": self._beats}).encode()

    def _holder(self, epoch: int) -> str:
        stored = self._store.read(f"{HUB_LEASES}/e{epoch}")
        try:
            return "" if stored is None else str(json.loads(stored.content)["committer"])
        except (ValueError, KeyError, TypeError):
            return ""
