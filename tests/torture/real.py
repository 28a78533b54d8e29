"""The command itself, with a real checkpoint on real speech, killed and repeated."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.torture.kills import Outcome, Whole, outputs

SAMPLES = Path(__file__).parents[2] / "src" / "quest22" / "demo" / "samples"
START_S = 3.0
"""Nothing happens in a process's first seconds but imports."""


def command(folder: Path, model: str, take: int) -> list[str]:
    """A run over the embedded samples."""
    return [
        *(sys.executable, "-m", "quest22.cli.main", "stream", "parquet"),
        *("--data-files", f"{SAMPLES}/*.parquet", "--take", str(take), "--model", model),
        *("--output-dir", str(folder), "-f", "jsonl,parquet,srt", "--batch-size", "4", "--quiet"),
    ]


def real_kills(folder: Path, model: str, kills: int, take: int = 24, seed: int = 0) -> Outcome:
    """Kill the command at random moments; compare with an undisturbed run of it."""
    begun = time.monotonic()
    code = subprocess.run(command(folder / "real", model, take), check=False).returncode
    whole = Whole(outputs(folder / "real"), code, time.monotonic() - begun, take)
    outcome = Outcome(f"kills of the command with {Path(model).name}")
    chance = random.Random(seed)
    killed, longest = folder / "killed", whole.seconds
    while outcome.kills < kills:
        while True:
            begun = time.monotonic()
            process = subprocess.Popen(command(killed, model, take))
            try:
                moment = chance.uniform(min(START_S, longest / 2), longest)
                code = process.wait(None if outcome.kills >= kills else moment)
                longest = min(longest, time.monotonic() - begun)  # the first run may have been slow
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                outcome.kills += 1
        outcome.compare(f"after {outcome.kills} kills", whole, killed, code)
        shutil.rmtree(killed)
    return outcome.tell()
