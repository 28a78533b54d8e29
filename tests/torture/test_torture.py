"""A short form of ``make torture``, in a process of its own, as it forks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_killed_runs_leave_what_an_undisturbed_one_leaves() -> None:
    arguments = ["--rows", "15", "--kills", "6", "--storms", "4", "--edits", "8", "--steps", "40"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("same bytes") == 6


@pytest.mark.slow
def test_hostile_sources_lose_no_row() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture.hostile", "6"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "same bytes" in done.stdout
