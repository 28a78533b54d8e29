"""A program of :mod:`tests.torture` in a process of its own, as it forks."""

from __future__ import annotations

import os
import subprocess
import sys


def torture_output(module: str, *arguments: str) -> str:
    """What it prints; fails if it finds a fault, or takes more than 20 minutes."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
