"""Short-lived keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from quest22.server.access.gate import Caller, Gate
from quest22.server.access.keys import KeyRing, new_key, remove_key
from quest22.server.openai.realtime.client_secrets import (
    MAX_SECRETS_PER_CALLER,
    MAX_SESSIONS_BYTES,
    ClientSecrets,
)
from quest22.server.operations.request_context import RequestContext, current_request, set_request
from quest22.server.refusal import Refusal
from quest22.settings.server import ServerSettings

GATE = Gate(ServerSettings())
DESK = Caller("desk")
SESSION = {"audio": {"input": {"transcription": {"language": "ru"}}}}


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_secret_stands_for_whoever_made_it() -> None:
    secrets = ClientSecrets()
    value, _ = secrets.issue(DESK, SESSION)
    assert value.startswith("ek_")
    assert len(value) > 40
    assert secrets.identify(GATE, value, "192.0.2.7") == (DESK, SESSION)
    assert secrets.identify(GATE, value, "192.0.2.8") == (DESK, SESSION), "may be used again"
    assert value not in repr(vars(secrets))


def test_it_ends_with_the_key_it_was_made_with(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = new_key(path, "desk", max_live=3)
    gate = Gate(ServerSettings(), KeyRing(path))
    assert gate.keys is not None
    secrets = ClientSecrets()
    value, _ = secrets.issue(gate.identify(key, "192.0.2.7"), SESSION)
    caller, _ = secrets.identify(gate, value, "192.0.2.8")
    assert (caller.name, caller.limits.max_live) == ("desk", 3)
    remove_key(path, "desk")
    new_key(path, "desk")
    gate.keys.refresh()
    with pytest.raises(Refusal, match="has been removed") as caught:
        secrets.identify(gate, value, "192.0.2.8")
    assert caught.value.status == 401


def test_the_log_names_the_holder_of_a_secret() -> None:
    set_request(RequestContext())
    secrets = ClientSecrets()
    value, _ = secrets.issue(DESK, SESSION)
    secrets.identify(GATE, value, "192.0.2.7")
    assert current_request().caller == "desk"


def test_no_secret_no_session() -> None:
    caller, session = ClientSecrets().identify(GATE, None, "192.0.2.7")
    assert (caller.name, session) == ("192.0.2.7", None)


def test_it_expires() -> None:
    clock = Clock()
    secrets = ClientSecrets(clock)
    value, expires_at = secrets.issue(DESK, {}, 10)
    assert expires_at == clock.now_s + 10
    clock.now_s += 9.9
    secrets.identify(GATE, value, "192.0.2.7")
    clock.now_s += 0.2
    with pytest.raises(Refusal, match="expired") as caught:
        secrets.identify(GATE, value, "192.0.2.7")
    assert caught.value.status == 401


@pytest.mark.parametrize("key", ["ek_", "ek_" + "x" * 43, "ek_\ud800"])
def test_another_one_is_refused(key: str) -> None:
    secrets = ClientSecrets()
    secrets.issue(DESK, {})
    with pytest.raises(Refusal):
        secrets.identify(GATE, key, "192.0.2.7")


@pytest.mark.parametrize("seconds", [9, 7201, -1, 0])
def test_how_long(seconds: int) -> None:
    with pytest.raises(Refusal, match="expected 10 to 7200"):
        ClientSecrets().issue(DESK, {}, seconds)


def test_there_are_not_too_many() -> None:
    clock = Clock()
    secrets = ClientSecrets(clock)
    for _ in range(MAX_SECRETS_PER_CALLER):
        secrets.issue(DESK, {}, 10)
    with pytest.raises(Refusal) as caught:
        secrets.issue(DESK, {})
    assert caught.value.status == 429
    assert caught.value.headers == {"Retry-After": "10"}
    secrets.issue(Caller("kiosk"), {})
    clock.now_s += 10
    secrets.issue(DESK, {})


def test_it_is_worth_no_more_than_the_key_it_comes_from(tmp_path: Path) -> None:
    file, secrets = tmp_path / "keys", ClientSecrets()
    key = new_key(file, "desk")
    ring = KeyRing(file)
    gate = Gate(ServerSettings(), ring)
    value, _ = secrets.issue(gate.identify(key, "192.0.2.7"), SESSION)
    assert secrets.identify(gate, value, "192.0.2.8")[0].name == "desk"
    remove_key(file, "desk")
    ring.refresh()
    with pytest.raises(Refusal) as caught:
        secrets.identify(gate, value, "192.0.2.8")
    assert caught.value.status == 401


def test_their_sessions_take_no_more_room_than_that() -> None:
    secrets = ClientSecrets()
    session = {"audio": {"input": {"transcription": {"prompt": "x" * 60_000}}}}
    for _ in range(MAX_SESSIONS_BYTES // 61_000):
        secrets.issue(DESK, session)
    with pytest.raises(Refusal, match="too many"):
        list(map(secrets.issue, [DESK] * 10, [session] * 10))
