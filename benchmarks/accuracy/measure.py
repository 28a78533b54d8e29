"""Measures what is missing: each system in a process of its own, in turn within each set.

In turn, so that a busy hour of the machine befalls all systems alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from benchmarks.accuracy.outcomes import Outcome, OutcomeFolder, Unit
from benchmarks.accuracy.programs import Request
from benchmarks.accuracy.systems import System
from quest22.checkpoint.caches import own_folder

Log = Callable[[str], None]
Run = Callable[[System, Sequence[Unit], int], Iterator[Outcome]]
"""Measures units with a system and a number of threads, one outcome each, as they come."""


def measure(
    jobs: Sequence[tuple[System, Unit]], outcomes: OutcomeFolder, again: bool, log: Log, run: Run
) -> None:
    """Measure what the folder does not hold, or all of it ``again``; write each as it comes.

    Neighbouring jobs of one system within one set share a process. A system that cannot be run
    gets the reason as its outcome, and is tried again the next time.
    """
    for (system, model, set_name), group in groupby(
        jobs, key=lambda job: (job[0], job[1].model, job[1].set_name)
    ):
        wanted = [unit for _, unit in group if again or not outcomes.measured(system, unit)]
        measured = run(system, wanted, outcomes.threads) if wanted else iter(())
        for unit, outcome in zip(wanted, measured, strict=False):
            outcomes.write(system, unit, outcome)
            log(f"{model}, {set_name} {unit.part}, {system.name}: {_described(outcome)}")


def _described(outcome: Outcome) -> str:
    if outcome.error:
        return f"left out: {outcome.error}"
    return f"{outcome.processor_s:.1f} processor seconds, {outcome.wall_s:.1f} s"


def in_process(system: System, units: Sequence[Unit], threads: int) -> Iterator[Outcome]:
    """Run a system on some units in a process of its own; an error ends them."""
    request = Request(
        program=system.program,
        model=model_path(units[0].model),
        options=dict(system.options),
        compute_type=system.compute_type,
        batched=system.batched,
        threads=threads,
    )
    files = [[str(each.path) for each in unit.recordings] for unit in units]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as asked:
        json.dump({"request": asdict(request), "units": files}, asked)
        asked.seek(0)
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.accuracy.worker"],
            stdin=asked,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        ) as process:
            for line in process.stdout or ():
                yield Outcome(**json.loads(line))
    if process.returncode:
        yield Outcome(error=f"its process ended with code {process.returncode}")


def model_path(model: str) -> str:
    """The folder that ``make weights`` fetched a model into, or else the name as it is."""
    folder = own_folder(model)
    return str(folder) if folder.is_dir() else model
