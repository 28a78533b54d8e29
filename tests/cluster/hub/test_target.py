"""The dataset that a plan is published to is agreed on once, without secrets."""

from __future__ import annotations

import pytest

from quest22.cluster.hub.target import PublishTarget, read_target, write_target
from quest22.cluster.layout import HUB_TARGET
from quest22.errors import UsageError
from tests.cluster.memory_store import MemoryStore


def test_the_first_target_holds() -> None:
    store = MemoryStore()
    assert read_target(store) is None
    first = write_target(store, PublishTarget("me/x", private=True, command="quest22 plan"))
    assert write_target(store, PublishTarget("me/x")) == first == read_target(store)
    with pytest.raises(UsageError, match=r"published as me/x on the Hub, not as me/y"):
        write_target(store, PublishTarget("me/y"))


def test_a_token_is_given_and_not_kept() -> None:
    store = MemoryStore()
    target = write_target(store, PublishTarget("me/x"))
    assert target.settings("hf_secret").token == "hf_secret"
    stored = store.read(HUB_TARGET)
    assert stored is not None
    assert b"secret" not in stored.content
    assert b"token" not in stored.content


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"repo": "x"}'])
def test_what_is_no_target(content: bytes) -> None:
    store = MemoryStore()
    store.create(HUB_TARGET, content)
    with pytest.raises(UsageError, match="cannot be read"):
        read_target(store)
