"""How the cost of a window grows with the model, the batch and the hours.

    python -m benchmarks.growth [--shapes tiny,base,small] [--batches 1,4,16,32]

Random weights, 100 new tokens in each window, clips in memory; medians of runs in turn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from quest22.bench.clips import synthetic_clips
from quest22.bench.comparison import ProgramResult, compare
from quest22.bench.measures import BenchSettings
from quest22.bench.peers import OURS
from quest22.bench.random_checkpoint import random_model

TOKENS = 100


def _silent(_text: str) -> None:
    """Print no progress."""


def by_model_and_batch(bench: BenchSettings, batches: list[int], clips: int) -> list[ProgramResult]:
    """Results for each batch size, run in turn."""
    samples = synthetic_clips(clips, 30.0)
    entries = [
        (
            replace(OURS, name=str(batch)),
            replace(bench.workload("growth", samples), batch_size=batch),
        )
        for batch in batches
    ]
    return compare(entries, bench.rounds, _silent)[0]


def by_hours(bench: BenchSettings, clips: int) -> list[ProgramResult]:
    """Results for few clips and for four times as many."""
    entries = [
        (OURS, bench.workload(f"growth-{count}", synthetic_clips(count, 30.0)))
        for count in (clips, 4 * clips)
    ]
    return compare(entries, bench.rounds, _silent)[0]


def _per_window_ms(result: ProgramResult) -> float:
    return 1000 * result.seconds / result.windows


def main() -> int:
    """Print a table of models and batches, and a line for the hours."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth")
    parser.add_argument("--shapes", default="tiny,base,small")
    parser.add_argument("--batches", default="1,4,16,32")
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    batches = [int(batch) for batch in arguments.batches.split(",")]
    print("| milliseconds a window | " + " | ".join(f"batch {n}" for n in batches) + " |")
    print("|---|" + "---|" * len(batches))
    settings = {"rounds": arguments.rounds, "tokens": TOKENS}
    with tempfile.TemporaryDirectory(prefix="quest22-growth-") as folder:
        for shape in arguments.shapes.split(","):
            bench = BenchSettings(Path(folder), random_model(Path(folder), shape), **settings)
            results = by_model_and_batch(bench, batches, arguments.clips)
            cells = " | ".join(f"{_per_window_ms(each):.0f}" for each in results)
            print(f"| {shape} | {cells} |", flush=True)
        smallest = arguments.shapes.split(",")[0]
        bench = BenchSettings(Path(folder), random_model(Path(folder), smallest), **settings)
        few, many = by_hours(bench, arguments.clips)
    print(
        f"\n{smallest}: {_per_window_ms(few):.1f} ms a window over {few.audio_s / 60:.0f} min of "
        f"sound, {_per_window_ms(many):.1f} over {many.audio_s / 60:.0f}; peak memory "
        f"{few.peak_bytes / 1e6:.0f} and {many.peak_bytes / 1e6:.0f} MB, of which the sound itself "
        f"takes {many.audio_s * 64e3 / 1e6:.0f}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
