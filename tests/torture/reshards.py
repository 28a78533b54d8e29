"""``python -m tests.torture.reshards``: runs in shards, killed, and gone on with in other numbers.

Exits with 0 if the folders together hold every row of the undisturbed run once, and nothing else.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["USE_TORCH"] = "0"

import pyarrow.parquet as pq

from quest22.settings import RUN_FOLDER
from tests.torture.kills import undisturbed
from tests.torture.nursery import bring_up, ended, forked, killed_after
from tests.torture.rows import write_rows
from tests.torture.worker import DigestPipeline, RunSpec, perform

Row = tuple[Any, ...]


def shard(spec: RunSpec, number: int, index: int) -> int:
    """Run one shard in this process."""
    return perform(replace(spec, dataset={"num_shards": number, "shard_index": index}))


def life(spec: RunSpec, number: int, longest_s: float, chance: random.Random) -> list[int]:
    """Start all shards of a number side by side, and kill each at some moment, or none."""
    children = [forked(lambda n=n: shard(spec, number, n)) for n in range(number)]  # type: ignore[misc]
    if not longest_s:
        return [ended(child) for child in children]
    passed = 0.0
    codes = []
    for moment, child in sorted((chance.uniform(0, longest_s), child) for child in children):
        codes.append(killed_after(child, moment - passed))
        passed = moment
    return codes


def rows_in(folder: Path) -> list[Row]:
    """What all runs below a folder hold: its lines, its Parquet rows and its captions."""
    found: list[Row] = []
    for path in sorted(folder.rglob("*")):
        if RUN_FOLDER in path.parts or not path.is_file():
            continue
        if path.suffix == ".jsonl":
            lines = path.read_text().splitlines()
            found += [_row(path.name, json.loads(line)) for line in lines]
        elif path.suffix == ".parquet":
            found += [_row("transcripts.parquet", row) for row in pq.read_table(path).to_pylist()]
        else:
            found.append((path.suffix, path.read_text()))
    return sorted(found, key=repr)


def _row(name: str, values: dict[str, Any]) -> Row:
    """A row by its place: keys that repeat are told apart within a shard alone."""
    origin = values["origin"]
    place = (name, origin["file"], origin["row"])
    return (*place, values.get("text"), values.get("reason"), values.get("speaker"))


def tortured(folder: Path, expected: list[Row], numbers: Sequence[int], seed: int) -> list[str]:
    """Runs whose number of shards changes often, killed but for the last: what is wrong."""
    chance = random.Random(seed)
    spec = RunSpec(folder / "data", folder / "out", load=DigestPipeline)
    killed = 0
    for number in numbers:
        codes = life(spec, number, chance.choice((0.4, 0.8)) * number**0.5, chance)
        killed += codes.count(-signal.SIGKILL)
    codes = life(spec, numbers[-1], 0.0, chance)
    found = rows_in(spec.folder)
    shutil.rmtree(spec.folder)
    wrong = [f"exit code {code}" for code in codes if code not in (0, 3, 1)]
    missing = [row for row in expected if row not in found]
    extra = [row for row in found if found.count(row) != expected.count(row)]
    print(f"shards {numbers}: {killed} kills, {len(found)} rows, missing {len(missing)}, "
          f"too many {len(extra)}", flush=True)  # fmt: skip
    return wrong + [f"missing {row}" for row in missing] + [f"not once {row}" for row in extra]


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    bring_up()
    chance = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="quest22-reshards-") as name:
        folder = Path(name)
        write_rows(folder / "data", 60)
        undisturbed(folder, 60, load=DigestPipeline)
        expected = rows_in(folder / "whole")
        wrong: list[str] = []
        for seed in range(rounds):
            numbers = [chance.choice((1, 2, 3, 5)) for _ in range(5)]
            wrong += tortured(folder, expected, numbers, seed)
    print("\n".join(wrong[:20]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
