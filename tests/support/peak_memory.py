"""The most memory a process took, as Linux counts it.

Not ``ru_maxrss``: that of a child begins with its parent's peak, and that of a test's process is
the peak of all tests before, so that no growth below it is ever seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROCESS = Path("/proc/self")
FORGET_THE_PEAK = "5"  # Linux's Documentation/filesystems/proc.rst, clear_refs

linux_only = pytest.mark.skipif(
    not (PROCESS / "clear_refs").exists(), reason="measures memory as Linux counts it"
)


def peak_mb() -> float:
    """The most that this process held since its program began, in MB of 2**20 bytes."""
    return _status_mb("VmHWM")


@contextmanager
def peak_growth_mb() -> Iterator[list[float]]:
    """Within the block the list is empty; after it, it holds the growth at the highest moment."""
    grown: list[float] = []
    (PROCESS / "clear_refs").write_text(FORGET_THE_PEAK)
    begun = _status_mb("VmRSS")
    try:
        yield grown
    finally:
        grown.append(peak_mb() - begun)


def _status_mb(field: str) -> float:
    lines = (PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024
