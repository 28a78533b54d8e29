"""A short form of ``python -m tests.torture.cluster``, in a process of its own, as it forks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--format", "parquet"], ["--moto"]])
def test_killed_and_frozen_workers_leave_what_an_undisturbed_one_leaves(options: list[str]) -> None:
    arguments = ["--rows", "45", "--storm", "4", *options]
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture.cluster", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("same bytes") == 17
