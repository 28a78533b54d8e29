"""Calls are repeated until the store answers; what another try will meet again is raised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quest22.cluster.ledger import LedgerUnavailableError
from quest22.cluster.object_store import ObjectStore
from quest22.cluster.patient_store import PatientStore
from quest22.errors import SinkError
from tests.cluster.memory_store import MemoryStore

CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "create": lambda store: store.create("a/b", b"1"),
    "replace": lambda store: store.replace("a/b", b"1", 0),
    "read": lambda store: store.read("a/b"),
    "exists": lambda store: store.exists("a/b"),
    "holds": lambda store: store.holds("a/b", Path("x")),
    "listing": lambda store: list(store.listing("a")),
}


class Away(MemoryStore):
    """Fails so many times."""

    def __init__(self, error: Exception, times: int) -> None:
        super().__init__()
        self.error, self.times = error, times

    def _refuse(self) -> None:
        self.times -= 1
        if self.times >= 0:
            raise self.error


@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_is_away_is_waited_for(call: str, caplog: pytest.LogCaptureFixture) -> None:
    slept: list[float] = []
    patient = PatientStore(Away(LedgerUnavailableError("503"), 4), slept.append)
    assert CALLS[call](patient) == CALLS[call](MemoryStore())
    assert len(slept) == 4
    assert caplog.text.count("trying again until the store answers") == 1


def test_a_store_that_refuses_ends_it() -> None:
    with pytest.raises(SinkError):
        PatientStore(Away(SinkError("403"), 1)).read("a")


def test_renewals_are_tried_once() -> None:
    with pytest.raises(LedgerUnavailableError):
        PatientStore(Away(LedgerUnavailableError("503"), 1)).write("a", b"")
