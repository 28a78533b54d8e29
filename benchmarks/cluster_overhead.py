"""What sharing work costs: a worker whose units take no time, on a store.

python -m benchmarks.cluster_overhead FOLDER|s3://BUCKET/PREFIX [--units 2000]

Prints the time between two units of one worker: claiming, publishing and recording, all requests
included. The store is to be new.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

from quest22.cluster.driver import ClusterDriver
from quest22.cluster.layout import data_name
from quest22.cluster.ledger import Attempt, Counts, Lease
from quest22.cluster.open_store import open_store
from quest22.cluster.procedure import Policy
from quest22.cluster.store_ledger import Outputs, StoreLedger

ROWS = b'{"id": "a", "text": "as many words as a unit of twenty minutes has"}\n' * 3000


def main() -> int:
    """Work through empty units; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster_overhead")
    parser.add_argument("store")
    parser.add_argument("--units", type=int, default=2000)
    given = parser.parse_args()
    counts = Counts(3000, 0, 1200.0)
    outputs = Outputs(lambda unit: data_name(unit, "jsonl"), lambda content: counts)
    ledger = StoreLedger(open_store(given.store), given.units, outputs)
    began: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        rows.write_bytes(ROWS)

        def transcribe(lease: Lease, is_over: Callable[[], bool]) -> Attempt:
            began.append(time.perf_counter())
            return Attempt(rows, counts)

        cpu_s = time.process_time()
        ClusterDriver("bench", ledger, transcribe, Policy()).run()
        cpu_s = time.process_time() - cpu_s
    times = [1000 * (after - before) for before, after in pairwise(began)]
    print(
        f"{given.units:,} units of {len(ROWS):,} bytes in {given.store}: {median(times):.1f} ms a "
        f"unit (median), {quantiles(times, n=20)[-1]:.1f} ms (95th percentile), "
        f"{1000 * cpu_s / given.units:.1f} ms of processor time"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
