"""A short form of ``python -m tests.torture.reshards``, in a process of its own, as it forks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_shards_that_change_their_number_do_every_row_once() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture.reshards", "2"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("missing 0, too many 0") == 2
