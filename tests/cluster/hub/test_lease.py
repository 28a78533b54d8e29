"""One committer at a time, as long as it shows that it lives."""

from __future__ import annotations

import time

import pytest

from quest22.cluster.hub.lease import POLLS, CommitterLease
from quest22.cluster.layout import HUB_LEASES
from tests.cluster.memory_store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_one_has_it_until_it_is_given_back(store: MemoryStore) -> None:
    first, second = CommitterLease(store, "a"), CommitterLease(store, "b")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    first.release()
    assert second.acquire()
    assert (first.is_first, second.is_first) == (True, False)


def test_one_that_shows_no_sign_of_life_is_superseded(store: MemoryStore) -> None:
    slept: list[float] = []
    told: list[str] = []
    assert CommitterLease(store, "dead").acquire()
    second = CommitterLease(store, "b", 80.0, slept.append)
    assert second.acquire(told.append)
    assert told == ["dead"]
    assert slept == [80.0 / POLLS] * (POLLS + 1)


def test_one_that_lives_is_waited_for(store: MemoryStore) -> None:
    polls = 0

    def sleep(seconds: float) -> None:
        nonlocal polls
        polls += 1
        if polls <= 3 * POLLS:
            store.write(f"{HUB_LEASES}/e1", b"%d" % polls)
        else:
            first.release()

    first = CommitterLease(store, "a")
    assert first.acquire()
    assert CommitterLease(store, "b", 80.0, sleep).acquire(lambda holder: None)
    assert polls == 3 * POLLS + 1


def test_it_is_renewed(store: MemoryStore) -> None:
    lease = CommitterLease(store, "a", 0.03)
    assert lease.acquire()
    before = store.read(f"{HUB_LEASES}/e1")
    until = time.monotonic() + 10
    while store.read(f"{HUB_LEASES}/e1") == before:
        assert time.monotonic() < until
        time.sleep(0.005)
    lease.release()


def test_it_is_taken_once_though_the_answer_was_lost() -> None:
    class Forgetful(MemoryStore):
        def create(self, name: str, content: object) -> bool:
            super().create(name, content)  # type: ignore[arg-type]
            return False

    assert CommitterLease(Forgetful(), "a").acquire()
