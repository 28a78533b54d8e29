from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.bench.peers.ours import load
from quest22.bench.workload import Workload


@pytest.mark.parametrize(("kind", "windows", "batch"), [("batch", 3, 2), ("single", 1, 1)])
def test_every_run_does_the_same_work(workload: Workload, kind, windows, batch) -> None:
    work = replace(workload, kind=kind, compute_type="float32", batch_size=2)
    run, about = load(work)
    assert about.endswith(f"float32, batch {batch}")
    for _ in range(2):
        output = run()
        assert (output.tokens, output.windows) == (4 * windows, windows)
