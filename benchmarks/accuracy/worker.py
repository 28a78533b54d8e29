"""The process of one system: loads it once, transcribes what the request names, prints outcomes.

Reads a request as JSON from standard input, and replies with one line of JSON for each unit.
Standard output is reserved for replies; what libraries print there goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.accuracy.outcomes import Outcome
from benchmarks.accuracy.programs import PROGRAMS, Request, Transcribe
from benchmarks.accuracy.recordings import decoded
from quest22.bench.worker import peak_bytes
from quest22.errors import Quest22Error
from quest22.records import SAMPLE_RATE_HZ

WARM_UP_S = 10


def serve(asked: dict[str, Any], reply: Callable[[Outcome], None]) -> None:
    """Measure each of the ``units``, which are lists of files, with the system of ``request``."""
    request = Request(**asked["request"])
    try:
        transcribe, about = PROGRAMS[request.program](request)
    except ImportError as error:
        return reply(Outcome(error=f"not installed ({error})"))
    except (Quest22Error, OSError, RuntimeError, ValueError) as error:
        return reply(Outcome(error=str(error)))
    for number, files in enumerate(asked["units"]):
        reply(_measured(transcribe, files, about, request.threads, warm=number > 0))
    return None


def _measured(
    transcribe: Transcribe, files: Sequence[str], about: str, threads: int, warm: bool
) -> Outcome:
    samples = [decoded(Path(file)) for file in files]
    if not warm:  # what is compiled or loaded at first use is no part of a long run
        list(transcribe([samples[0][: WARM_UP_S * SAMPLE_RATE_HZ]]))
    processor_s, wall_s = time.process_time(), time.perf_counter()
    texts = list(transcribe(samples))
    processor_s, wall_s = time.process_time() - processor_s, time.perf_counter() - wall_s
    names = [Path(file).name for file in files]
    heard = dict(zip(names, texts, strict=True))
    return Outcome(heard, processor_s, wall_s, peak_bytes(), about, threads)


def main() -> None:
    """Serve the one request of this process."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(json.load(sys.stdin), lambda outcome: print(json.dumps(asdict(outcome)), file=replies))


if __name__ == "__main__":
    main()
