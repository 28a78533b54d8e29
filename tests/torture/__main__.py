"""``python -m tests.torture``: kills runs again and again, and compares what they leave behind.

Exits with 0 if every run's outputs equal the undisturbed run's, byte for byte.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

os.environ["USE_TORCH"] = "0"  # datasets would import it, which takes longer than a run

from tests.torture.edits import edited_outputs
from tests.torture.kills import (
    HEADING,
    odd_kills,
    planned_kills,
    random_kills,
    retried_kills,
    stormy_kills,
    undisturbed,
)
from tests.torture.nursery import bring_up
from tests.torture.real import real_kills
from tests.torture.rows import write_rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("--kills", type=int, default=300, help="kills at random moments")
    parser.add_argument("--storms", type=int, default=100, help="such kills with network faults")
    parser.add_argument("--edits", type=int, default=100, help="edits of outputs between two lives")
    parser.add_argument("--steps", type=int, default=1, help="of the planned points, every N-th")
    parser.add_argument("--real", type=int, default=0, help="kills of the command itself")
    parser.add_argument("--model", default="nano", help="the checkpoint for those")
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    bring_up()
    with tempfile.TemporaryDirectory(prefix="quest22-torture-") as name:
        folder = Path(name)
        write_rows(folder / "data", given.rows)
        whole = undisturbed(folder, given.rows)
        formats = Counter(name.rpartition(".")[2] for name in whole.files)
        files = ", ".join(f"{count} {suffix}" for suffix, count in formats.most_common())
        print(f"undisturbed: {files} of {given.rows} rows in {whole.seconds:.2f} s\n\n{HEADING}")
        outcomes = [
            random_kills(folder, whole, kills=given.kills, seed=given.seed),
            stormy_kills(folder, kills=given.storms, seed=given.seed),
            odd_kills(folder, kills=given.storms, seed=given.seed),
            edited_outputs(folder, whole, edits=given.edits, seed=given.seed),
            planned_kills(folder, whole, every=given.steps),
            retried_kills(folder, whole, every=given.steps),
        ]
        if given.real:
            outcomes.append(real_kills(folder, given.model, given.real))
    return 0 if all(outcome.good for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
