"""A contender's own process: it loads, says so, and runs its work as often as it is told to.

One line of JSON goes out for each that comes in. Standard output is kept for these lines; what
libraries print there goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from quest22.bench.workload import Workload

RUN, END = "run\n", "end\n"


@dataclass(frozen=True, slots=True)
class Output:
    """What a run gave: new tokens, windows, and the seconds of its parts where they are known."""

    tokens: int
    windows: int
    parts: dict[str, float] = field(default_factory=dict)


Loaded = tuple[Callable[[], Output], str]
"""The work, ready to be done, and in words how it is done (versions, formats)."""


def serve(load: Callable[[Workload], Loaded]) -> None:
    """Answer the process that started this one, until it says to end."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    run, about = load(Workload.from_json(sys.stdin.readline()))
    print(json.dumps({"about": about}), file=answers)
    for line in sys.stdin:
        if line != RUN:
            break
        begun_s = time.perf_counter()
        output = run()
        seconds = time.perf_counter() - begun_s
        answer = {
            "seconds": seconds,
            "tokens": output.tokens,
            "windows": output.windows,
            "parts": output.parts,
        }
        print(json.dumps(answer), file=answers)
    print(json.dumps({"peak_bytes": peak_bytes()}), file=answers)


def peak_bytes() -> int:
    """The most memory that this process held at once; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return found[0] if found else 0
