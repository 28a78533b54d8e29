"""Who is let in, and who is told to come again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quest22.metrics import Metrics
from quest22.server.access.gate import Caller, Gate, Kind
from quest22.server.access.keys import KeyRing, new_key, remove_key
from quest22.server.access.load import Load
from quest22.server.refusal import Refusal
from quest22.settings.server import ServerSettings


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class FixedLoad(Load):
    """A load that is told what it has measured."""

    wait = latency = 0.0

    def wait_s(self, now: float) -> float:
        return self.wait

    def latency_s(self, now: float) -> float:
        return self.latency


def gate(keys: KeyRing | None = None, **settings: Any) -> Gate:
    return Gate(ServerSettings(**settings), keys, FixedLoad(), clock=Clock())


def refused(gate: Gate, caller: Caller, kind: Kind) -> Refusal:
    with pytest.raises(Refusal) as caught, gate.admit(caller, kind):
        pass
    return caught.value


def rejected(gate: Gate, reason: str) -> float | None:
    return gate.metrics.registry.get_sample_value("quest22_rejected_total", {"reason": reason})


def test_without_keys_everyone_may() -> None:
    assert gate().identify("anything", "10.0.0.1").name == "10.0.0.1"


def test_with_keys_only_those_who_have_one_may(tmp_path: Path) -> None:
    key = new_key(tmp_path / "keys", "desk", max_live=1, max_upload_mb=2.5)
    guarded = gate(KeyRing(tmp_path / "keys"), max_live_each=7)
    caller = guarded.identify(key, "10.0.0.1")
    assert (caller.name, caller.limits.max_live) == ("desk", 1)
    assert caller.limits.max_upload_bytes == 2_500_000
    assert caller.limits.max_audio_s == ServerSettings().max_audio_s
    for wrong in (None, "", "q22_wrong"):
        with pytest.raises(Refusal) as caught:
            guarded.identify(wrong, "10.0.0.1")
        assert caught.value.status == 401
        assert "q22_wrong" not in caught.value.message
    assert rejected(guarded, "unauthorized") == 3


def test_who_was_identified_before_is_who_the_key_says_now(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keys = [new_key(file, "desk", max_live=1), new_key(file, "kiosk")]
    ring = KeyRing(file)
    guarded = gate(ring)
    desk, kiosk = (guarded.identify(key, "10.0.0.1") for key in keys)
    assert guarded.identify_again(desk) == desk
    remove_key(file, "desk")
    ring.refresh()
    with pytest.raises(Refusal) as caught:
        guarded.identify_again(desk)
    assert caught.value.status == 401
    assert guarded.identify_again(kiosk) == kiosk
    new_key(file, "desk")
    ring.refresh()
    with pytest.raises(Refusal):
        guarded.identify_again(desk)  # another key of the same name
    assert gate().identify_again(Caller("10.0.0.1")).name == "10.0.0.1"


@pytest.mark.parametrize(("kind", "limit"), [("live", "max_live"), ("file", "max_requests")])
def test_there_is_room_for_so_many(kind: Kind, limit: str) -> None:
    full = gate(**{limit: 1})
    one, other = Caller("one"), Caller("other")
    with full.admit(one, kind):
        assert (full.inside, full.count(kind)) == (1, 1)
        refusal = refused(full, other, kind)
        assert (refusal.status, refusal.headers) == (503, {"Retry-After": "5"})
    with full.admit(other, kind):
        assert full.inside == 1
    assert rejected(full, "overloaded") == 1


def test_each_caller_has_so_many_live_sessions() -> None:
    each = gate(max_live_each=1)
    one = each.identify(None, "one")
    with each.admit(one, "live"):
        assert refused(each, one, "live").status == 429
        with each.admit(one, "file"), each.admit(each.identify(None, "two"), "live"):
            assert each.inside == 3
    with each.admit(one, "live"):
        pass


def test_recordings_wait_no_longer_than_is_said() -> None:
    busy = gate(max_wait_s=30.0)
    busy.load.wait = 42.0
    refusal = refused(busy, Caller("one"), "file")
    assert (refusal.status, refusal.headers) == (503, {"Retry-After": "12"})
    assert "already wait 42 s: expected at most 30" in refusal.message
    with busy.admit(Caller("one"), "live"):
        pass
    busy.load.wait = 5000.0
    assert refused(busy, Caller("one"), "file").headers == {"Retry-After": "60"}


def test_live_sessions_are_refused_while_others_are_late() -> None:
    busy = gate(max_latency_s=4.0)
    busy.load.latency = 5.0
    assert refused(busy, Caller("one"), "live").status == 503
    with busy.admit(Caller("one"), "file"):
        pass


def test_who_has_sent_too_much_waits_until_it_is_made_up() -> None:
    limited = gate(audio_s_per_minute=60.0)
    one = limited.identify(None, "one")
    with limited.admit(one, "file") as admission:
        admission.count_audio(50.0)
    with limited.admit(one, "file") as admission:  # in no debt yet
        admission.count_audio(100.0)
    refusal = refused(limited, one, "file")
    assert (refusal.status, refusal.headers) == (429, {"Retry-After": "90"})
    with limited.admit(limited.identify(None, "two"), "file"):
        pass
    limited.clock.now += 91.0
    with limited.admit(one, "file"):
        pass


def test_nobody_is_let_in_at_the_end() -> None:
    ending = gate()
    ending.draining = True
    refusal = refused(ending, Caller("one"), "file")
    assert (refusal.status, refusal.reason) == (503, "draining")


def test_who_was_let_in_leaves_whatever_happens() -> None:
    open_gate = gate()
    with pytest.raises(ZeroDivisionError), open_gate.admit(Caller("one"), "live"):
        raise ZeroDivisionError
    assert open_gate.inside == 0


def test_sound_is_counted_by_key_and_not_by_address(tmp_path: Path) -> None:
    key = new_key(tmp_path / "keys", "desk")
    named, nameless = gate(KeyRing(tmp_path / "keys")), gate()
    for each, name in ((named, "desk"), (nameless, "")):
        with each.admit(each.identify(key, "10.0.0.1"), "file") as admission:
            admission.count_audio(2.0)
            admission.count_audio(1.5)
        assert admission.audio_s == 3.5
        labels = {"key": name, "api": ""}
        counted = each.metrics.registry.get_sample_value("quest22_audio_seconds_total", labels)
        assert counted == 3.5


class Loop:
    newcomers_wait_s = 0.0


def test_how_long_a_newcomer_would_wait() -> None:
    import time

    metrics, loop = Metrics(), Loop()
    load = Load(metrics, lambda: [loop])
    now = time.monotonic()
    metrics.observe("first_wait", 20.0)
    assert load.wait_s(now) == 0.0  # nobody waits any more
    loop.newcomers_wait_s = 3.0
    assert load.wait_s(now) == 20.0
    assert load.wait_s(now + 100.0) == 3.0
    assert load.latency_s(now) == 0.0
    for latency in (9.0, 1.0, 2.0, 3.0, 8.0):
        metrics.observe("live_latency", latency, "committed")
    assert load.latency_s(now) == 3.0
    assert load.latency_s(now + 100.0) == 0.0
