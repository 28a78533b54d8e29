from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from quest22.bench.clips import made_up_clips
from quest22.bench.comparison import race
from quest22.bench.measures import Bench, measure
from quest22.bench.peers import OURS, PEERS, Peer, peers_named
from quest22.bench.worker_process import Contender, ContenderError
from quest22.bench.workload import Workload
from quest22.errors import UsageError

ABSENT = Peer("absent", "quest22.bench.peers.absent", ("no_such_package",))


def quiet(_text: str) -> None:
    pass


@pytest.mark.parametrize("manner", ["batch", "single"])
def test_a_race_counts_tokens_time_and_memory(workload: Workload, manner: str) -> None:
    work = replace(workload, manner=manner, compute_type="float32")
    (result,), complaints = race([(OURS, work)], 2, quiet)
    assert complaints == []
    assert (result.tokens_a_window, result.windows) == (4, 1 if manner == "single" else 3)
    assert 0 < result.fastest_s <= result.seconds <= result.slowest_s
    assert result.times_real_time == pytest.approx(work.audio_s / result.seconds)
    assert result.peak_bytes > 50e6
    assert {"encoder", "decoder", "features"} <= set(result.parts)
    assert "float32" in result.about


def test_who_cannot_run_is_told_and_the_others_go_on(workload: Workload) -> None:
    results, (complaint,) = race([(ABSENT, workload), (OURS, workload)], 1, quiet)
    assert [each.name for each in results] == ["quest22"]
    assert complaint.startswith("absent could not do the work:")
    assert "No module named" in complaint


def test_the_fastest_choice_is_measured(workload: Workload) -> None:
    picky = replace(OURS, choices=(("no such type", 1), ("float32", 2)))
    (result,), complaints = race([(picky, workload)], 1, quiet)
    assert (complaints, result.about.split(", ")[1:]) == ([], ["float32", "batch 2"])


def test_more_work_than_a_taste_is_done_with_the_tasted_choice(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quest22.bench.workload.TASTE_CLIPS", 1)
    picky = replace(OURS, choices=(("float32", 1), ("float32", 2)))
    (result,), complaints = race([(picky, workload)], 1, quiet)
    assert (complaints, result.windows) == ([], 3)


def test_a_contender_that_dies_says_why(workload: Workload) -> None:
    contender = Contender(OURS, replace(workload, model="/no/such/model"))
    with pytest.raises(ContenderError, match="/no/such/model does not exist"):
        contender.wait()
    contender.kill()


def test_what_a_contender_started_ends_with_it(workload: Workload) -> None:
    contender = Contender(Peer("parent", "tests.bench.parent", ()), workload)
    contender.wait()
    child = Path("/proc", contender.about, "stat")
    assert child.exists()
    contender.kill()
    until_s = time.monotonic() + 30
    while running(child) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert not running(child)


def running(stat: Path) -> bool:
    """Whether a process is more than an entry that nobody has asked for."""
    try:
        return stat.read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_peers_by_name() -> None:
    assert [peer.name for peer in peers_named("whisper.cpp, transformers,")] == [
        "whisper.cpp",
        "transformers",
    ]
    assert peers_named("") == []
    assert set(PEERS) == {"faster-whisper", "transformers", "openvino-genai", "whisper.cpp"}
    with pytest.raises(UsageError, match="unknown peer 'vosk': expected faster-whisper"):
        peers_named("vosk")


def test_what_is_not_installed_is_missing() -> None:
    assert ABSENT.missing == ("no_such_package",)
    assert OURS.missing == ()


@pytest.mark.slow
def test_streamed_is_as_much_as_in_memory(workload: Workload, tmp_path) -> None:
    bench = Bench(tmp_path, workload.model, rounds=1, tokens=4, tell=quiet)
    outcome = measure("streamed", bench, made_up_clips(3, 2.0))
    memory, streamed = outcome.results
    assert (memory.name, streamed.name) == ("quest22", "quest22 streamed")
    assert memory.windows == streamed.windows == 3
    assert memory.tokens_a_window == streamed.tokens_a_window == 4


@pytest.mark.slow
@pytest.mark.reference
def test_the_script_does_the_same_work(workload: Workload, tmp_path) -> None:
    bench = Bench(tmp_path, workload.model, rounds=1, tell=quiet)
    outcome = measure("script", bench, [])
    assert outcome.complaints == []
    assert [each.tokens_a_window for each in outcome.results] == [30, 30]
    assert [each.windows for each in outcome.results] == [8, 8]


def test_an_unknown_measure_is_refused(workload: Workload, tmp_path) -> None:
    with pytest.raises(UsageError, match="unknown measure 'charm': expected throughput"):
        measure("charm", Bench(tmp_path, workload.model), [])
