from __future__ import annotations

from dataclasses import replace

import pytest

from quest22.bench.comparison import compare
from quest22.bench.peers import OURS, Peer
from quest22.bench.workload import Workload

ABSENT = Peer("absent", "quest22.bench.peers.absent", ("no_such_package",))


def quiet(_text: str) -> None:
    pass


@pytest.mark.parametrize("kind", ["batch", "single"])
def test_a_race_counts_tokens_time_and_memory(workload: Workload, kind: str) -> None:
    work = replace(workload, kind=kind, compute_type="float32")
    (result,), errors = compare([(OURS, work)], 2, quiet)
    assert errors == []
    assert (result.tokens_a_window, result.windows) == (4, 1 if kind == "single" else 3)
    assert 0 < result.fastest_s <= result.seconds <= result.slowest_s
    assert result.cpu_s > 0
    assert result.times_real_time == pytest.approx(work.audio_s / result.seconds)
    assert result.peak_bytes > 50e6
    assert {"encoder", "decoder", "features"} <= set(result.parts)
    assert "float32" in result.about


def test_who_cannot_run_is_told_and_the_others_go_on(workload: Workload) -> None:
    results, (error,) = compare([(ABSENT, workload), (OURS, workload)], 1, quiet)
    assert [each.name for each in results] == ["quest22"]
    assert error.startswith("absent failed:")
    assert "No module named" in error


def test_the_fastest_choice_is_measured(workload: Workload) -> None:
    picky = replace(OURS, configurations=(("no such type", 1), ("float32", 2)))
    (result,), errors = compare([(picky, workload)], 1, quiet)
    assert (errors, result.about.split(", ")[1:]) == ([], ["float32", "batch 2"])


def test_more_work_than_a_taste_is_done_with_the_tasted_choice(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quest22.bench.workload.TUNING_CLIPS", 1)
    picky = replace(OURS, configurations=(("float32", 1), ("float32", 2)))
    (result,), errors = compare([(picky, workload)], 1, quiet)
    assert (errors, result.windows) == ([], 3)
