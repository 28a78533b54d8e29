"""A server that the tests of this folder share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support.running_server import RunningServer, running_server

if sys.version_info < (3, 11):
    collect_ignore_glob = ["*"]


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """With nano, loaded when it is first used."""
    with running_server() as running:
        yield running
