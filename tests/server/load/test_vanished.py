"""Clients that are still there for the network, and not for anybody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.support.abuse.honest import Honest
from tests.support.abuse.peace import unharmed
from tests.support.server_process import ServerProcess, linux_only, until

pytestmark = [linux_only, pytest.mark.slow]

STAGES = ("headers", "body", "deepgram", "realtime")

GIVEN_UP_S = 150.0
"""Two unanswered pings, or the patience for headers and bodies."""


def test_stopped_clients_are_given_up(abused: ServerProcess, honest: Honest) -> None:
    """Their kernel acknowledges what the server sends, but nobody answers pings or sends more."""
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
