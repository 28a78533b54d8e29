"""Small files that would fill the memory if they were decoded whole."""

from __future__ import annotations

import pytest

from tests.support.abuse import wire
from tests.support.abuse.honest import Honest
from tests.support.abuse.peace import unharmed
from tests.support.abuse.sounds import opus_silence
from tests.support.server_process import ServerProcess, linux_only

pytestmark = [linux_only, pytest.mark.slow, pytest.mark.long]


def test_25_megabytes_of_opus_that_last_for_weeks() -> None:
    """The server takes four hours by default; as samples the file has 90 gigabytes at 16 kHz."""
    bomb, hours = opus_silence(25_000_000)
    assert hours > 300
    with ServerProcess() as server:
        honest = Honest(server)
        with unharmed(server, honest, max_mb=300):
            answer = wire.answer_to(server, wire.upload(bomb, "a.opus"), 600)
            assert answer.status in (400, 413), answer
            assert answer.json()["error"]["message"]


def test_hours_of_sound_that_are_allowed() -> None:
    """Two hours of silence are decoded to their end, a little at a time."""
    silence, hours = opus_silence(130_000)
    assert 2 < hours < 2.5
    with ServerProcess() as server:
        honest = Honest(server)
        with unharmed(server, honest, max_mb=300):
            answer = wire.answer_to(server, wire.upload(silence, "a.opus"), 600)
            assert answer.status == 200, answer
            assert answer.json()["text"] == ""
