"""A short form of ``python -m tests.torture.server``."""

from __future__ import annotations

import pytest

from tests.support.abuse.every import FLAGS, QUICK
from tests.support.server_process import ServerProcess, linux_only
from tests.torture.server import tortured


@linux_only
@pytest.mark.slow
def test_a_mix_of_abuses(capsys: pytest.CaptureFixture[str]) -> None:
    names = [each.__name__ for each in QUICK]
    with ServerProcess(*FLAGS) as server:
        assert tortured(server, 3, 22, names), capsys.readouterr().out
