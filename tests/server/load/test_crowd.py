"""As many clients at once as the server has places for, and more."""

from __future__ import annotations

import pytest

from tests.support.abuse.crowd import refused_sessions, uploads_and_sessions
from tests.support.abuse.honest import Honest
from tests.support.abuse.peace import unharmed
from tests.support.server_process import ServerProcess, linux_only

pytestmark = [linux_only, pytest.mark.slow]


def test_64_uploads_and_16_live_sessions(abused: ServerProcess, honest: Honest) -> None:
    with unharmed(abused, honest, max_mb=500):
        uploads_and_sessions(abused, honest, uploads=64, sessions=16)


def test_more_uploads_than_places(abused: ServerProcess, honest: Honest) -> None:
    with unharmed(abused, honest, max_mb=500):
        uploads_and_sessions(abused, honest, uploads=100, sessions=0)


def test_more_sessions_than_places(abused: ServerProcess, honest: Honest) -> None:
    with unharmed(abused, honest, max_mb=500):
        refused_sessions(abused, asked=40, room=16)
