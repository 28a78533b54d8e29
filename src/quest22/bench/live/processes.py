"""What the system tells of a process and its children: memory and processor time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def resident_bytes(pid: int) -> int:
    """Memory of a process and its children now; 0 where the system does not tell."""
    pages = sum(int(_read(each, "statm").split()[1]) for each in _family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") if pages else 0


def processor_s(pid: int) -> float:
    """Processor time of a process and its children so far, in seconds; 0 where it is not told."""
    ticks = 0
    for each in _family(pid):
        fields = _read(each, "stat").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0


def _family(pid: int) -> Iterator[int]:
    """The process and its children that still run."""
    if _read(pid, "statm") and _read(pid, "stat"):
        yield pid
        for child in _read(pid, f"task/{pid}/children").split():
            yield from _family(int(child))


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")
    except OSError:
        return ""
