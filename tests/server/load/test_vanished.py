"""Clients that are still there for the network, and not for anybody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support import counted_server
from tests.support.abuse.every import FLAGS
from tests.support.abuse.honest import Honest
from tests.support.abuse.peace import unharmed
from tests.support.server_process import ServerProcess, linux_only, until

pytestmark = [linux_only, pytest.mark.slow, pytest.mark.long]

STAGES = ("headers", "body", "deepgram", "realtime")

PATIENCE_S = 5
GIVEN_UP_S = 150.0
"""At the latest; it takes two unanswered pings, or the patience for headers and bodies."""


@pytest.fixture
def abused() -> Iterator[ServerProcess]:
    env = {counted_server.PATIENCE: str(PATIENCE_S)}
    with ServerProcess(*FLAGS, "--upload-timeout", f"{PATIENCE_S}s", env=env) as server:
        yield server


def test_stopped_clients_are_given_up(abused: ServerProcess) -> None:
    """Their kernel acknowledges what the server sends, but nobody answers pings or sends more."""
    honest = Honest(abused)
    with unharmed(abused, honest, settle_s=GIVEN_UP_S):
        without_them = abused.held().sockets
        clients = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.support.abuse.stopped", abused.url, name],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in STAGES
        ]
        try:
            for client in clients:
                assert client.stdout is not None
                assert client.stdout.readline() == "begun\n"
                client.send_signal(signal.SIGSTOP)
            honest.check(abused)
            assert until(lambda: abused.held().sockets <= without_them, GIVEN_UP_S, 1.0)
        finally:
            for client in clients:
                client.kill()
                client.communicate()
