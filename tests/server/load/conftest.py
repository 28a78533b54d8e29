"""One server that is abused by all tests of this folder, and an honest client that knows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.abuse.every import FLAGS
from tests.support.abuse.honest import Honest
from tests.support.server_process import ServerProcess


@pytest.fixture(scope="package")
def abused() -> Iterator[ServerProcess]:
    with ServerProcess(*FLAGS) as server:
        yield server


@pytest.fixture(scope="package")
def honest(abused: ServerProcess) -> Honest:
    return Honest(abused)
