"""The worker's side of a benchmark: loads a program, then runs the workload on each request.

Replies with one line of JSON for each line that it receives. Standard output is reserved for these
replies; whatever libraries print there goes to standard error.
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
class RunOutput:
    """New tokens, windows, and the seconds of each stage, if known."""

    tokens: int
    windows: int
    parts: dict[str, float] = field(default_factory=dict)


LoadedProgram = tuple[Callable[[], RunOutput], str]
"""A function that runs the workload once, and a description of the program (version, type)."""


def serve(load: Callable[[Workload], LoadedProgram]) -> None:
    """Serve the process that started this one until it ends the connection."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    run, about = load(Workload.from_json(sys.stdin.readline()))
    print(json.dumps({"about": about}), file=replies)
    for line in sys.stdin:
        if line != RUN:
            break
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        output = run()
        seconds = time.perf_counter() - start_s
        reply = {
            "seconds": seconds,
            "cpu_s": time.process_time() - start_cpu_s,
            "tokens": output.tokens,
            "windows": output.windows,
            "parts": output.parts,
        }
        print(json.dumps(reply), file=replies)
    print(json.dumps({"peak_bytes": peak_bytes()}), file=replies)


def peak_bytes() -> int:
    """The peak memory of this process; 0 if the system does not report it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    peaks = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return peaks[0] if peaks else 0
