from __future__ import annotations

import pytest

from quest22.bench.clips import synthetic_clips
from quest22.bench.measures import BenchSettings, measure
from quest22.bench.workload import Workload
from quest22.errors import UsageError


def quiet(_text: str) -> None:
    pass


@pytest.mark.slow
def test_streamed_is_as_much_as_in_memory(workload: Workload, tmp_path) -> None:
    bench = BenchSettings(tmp_path, workload.model, rounds=1, tokens=4, log=quiet)
    outcome = measure("streamed", bench, synthetic_clips(3, 2.0))
    memory, streamed = outcome.results
    assert (memory.name, streamed.name) == ("quest22", "quest22 streamed")
    assert memory.windows == streamed.windows == 3
    assert memory.tokens_a_window == streamed.tokens_a_window == 4


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.long
def test_the_script_does_the_same_work(workload: Workload, tmp_path) -> None:
    bench = BenchSettings(tmp_path, workload.model, rounds=1, log=quiet)
    outcome = measure("script", bench, [])
    assert outcome.complaints == []
    assert [each.tokens_a_window for each in outcome.results] == [30, 30]
    assert [each.windows for each in outcome.results] == [8, 8]


def test_an_unknown_measure_is_refused(workload: Workload, tmp_path) -> None:
    with pytest.raises(UsageError, match="unknown measure 'charm': expected throughput"):
        measure("charm", BenchSettings(tmp_path, workload.model), [])
