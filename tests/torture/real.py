"""The command itself, with a real checkpoint on real speech, killed and repeated in bad weather."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from quest22.cli.exits import Exit
from tests.torture.kills import Outcome, Whole, outputs
from tests.torture.weather import CALM, Weather

SAMPLES = Path(__file__).parents[2] / "src" / "quest22" / "demo" / "samples"
START_S = 3.0
"""Nothing happens in a process's first seconds but imports."""
CHANCE = 0.1
BAD = {2: b"", 7: b"RIFF but no sound", 15: b"OggS\x00\x02" + b"\xff" * 40}


def write_speech(folder: Path, rows: int) -> None:
    """The first of the embedded samples in files of eight, some of them without sound."""
    tables = [pq.read_table(path) for path in sorted(SAMPLES.glob("*.parquet"))]
    samples = pa.concat_tables(tables).slice(0, rows)
    sounds = samples["audio"].to_pylist()
    for number, content in BAD.items():
        sounds[number] = {**sounds[number], "bytes": content}
    column = samples.schema.get_field_index("audio")
    field = samples.schema.field(column)
    samples = samples.set_column(column, field, pa.array(sounds, type=field.type))
    folder.mkdir()
    for part in range(0, rows, 8):
        path = folder / f"part-{part:03}.parquet"
        pq.write_table(samples.slice(part, 8), path, row_group_size=4)


def command(urls: Sequence[str], folder: Path, model: str) -> list[str]:
    """A run over files on a server."""
    return [
        *(sys.executable, "-m", "quest22.cli.main", "stream", "parquet", "--model", model),
        *(f"--data-files={url}" for url in urls),
        *("--output-dir", str(folder), "-f", "jsonl,parquet,srt", "--batch-size", "4", "--quiet"),
    ]


def real_kills(folder: Path, model: str, kills: int, rows: int = 24, seed: int = 0) -> Outcome:
    """Kill the command at random moments; compare with an undisturbed run of it."""
    outcome = Outcome(f"the command with {Path(model).name}, both")
    write_speech(folder / "speech", rows)
    with Weather(folder / "speech", seed, chance=0.0) as weather:
        begun = time.monotonic()
        told = subprocess.run(command(weather.urls(), folder / "real", model), check=False)
        seconds = time.monotonic() - begun
        whole = Whole(outputs(folder / "real"), told.returncode, seconds, rows)
        weather.calm(CHANCE)
        asked = command(weather.urls(), folder / "killed", model)
        chance = random.Random(seed)
        while outcome.kills < kills:
            code = _until_dead(outcome, asked, kills, whole.seconds, chance)
            outcome.compare(f"after {outcome.kills} kills", whole, folder / "killed", code)
            shutil.rmtree(folder / "killed")
        outcome.troubles = weather.told() - Counter({CALM: sys.maxsize})
    return outcome.tell()


def _until_dead(
    outcome: Outcome, asked: list[str], kills: int, longest_s: float, chance: random.Random
) -> int:
    """Start the command, kill it, and start it again until it gets through; its exit code."""
    while True:
        begun = time.monotonic()
        process = subprocess.Popen(asked)
        try:
            moment = chance.uniform(min(START_S, longest_s / 2), longest_s)
            code = process.wait(None if outcome.kills >= kills else moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            outcome.kills += 1
            continue
        if code == Exit.NOTHING_DONE:  # the server refused it from the start
            outcome.gave_up += 1
            continue
        longest_s = min(longest_s, time.monotonic() - begun)  # the first run may have been slow
        return code
