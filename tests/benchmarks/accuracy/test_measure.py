from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from benchmarks.accuracy.measure import in_process, measure, model_path
from benchmarks.accuracy.outcomes import Outcome, OutcomeFolder, Unit, units
from benchmarks.accuracy.recordings import RecordingSet
from benchmarks.accuracy.systems import System, chosen
from benchmarks.accuracy.worker import serve
from tests.benchmarks.accuracy.conftest import WriteSet, recording

FAST, BALANCED = chosen(["fast", "balanced"])
SETS = (
    RecordingSet("clips", (recording("a"), recording("b", part="odd"))),
    RecordingSet("talks", (recording("c"),)),
)


@dataclass
class Runner:
    """Stands for the processes: says what it was asked, fails where it is told to."""

    fails: str = ""
    asked: list[tuple[str, str, int]] = field(default_factory=list)

    def __call__(self, system: System, wanted: Sequence[Unit], threads: int) -> Iterator[Outcome]:
        self.asked.append((system.name, wanted[0].set_name, len(wanted)))
        for unit in wanted:
            if system.name == self.fails:
                yield Outcome(error="it is refused")
                return
            texts = {each.name: "one two" for each in unit.recordings}
            yield Outcome(texts, 1.0, 2.0, 3, "about", threads)


def jobs() -> list[tuple[System, Unit]]:
    return [
        (system, unit)
        for each in SETS
        for system in (FAST, BALANCED)
        for unit in units([each], "base", ("even", "odd"))
    ]


def run(folder: OutcomeFolder, again: bool = False, fails: str = "") -> list[tuple[str, str, int]]:
    runner = Runner(fails)
    measure(jobs(), folder, again, lambda line: None, runner)
    return runner.asked


EVERYTHING = [
    ("fast", "clips", 2), ("balanced", "clips", 2), ("fast", "talks", 1), ("balanced", "talks", 1)
]  # fmt: skip


def test_systems_take_turns_within_a_set_and_nothing_is_measured_twice(tmp_path: Path) -> None:
    folder = OutcomeFolder(tmp_path, threads=1)
    assert run(folder) == EVERYTHING
    assert run(folder) == []
    assert run(folder, again=True) == EVERYTHING
    assert run(replace(folder, threads=2)) == EVERYTHING


def test_an_interrupted_run_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    folder = OutcomeFolder(tmp_path, threads=1)
    run(folder)
    system, unit = jobs()[3]
    folder.path(system, unit).unlink()
    assert run(folder) == [("balanced", "clips", 1)]


def test_a_system_that_is_refused_is_kept_with_its_reason_and_tried_again(tmp_path: Path) -> None:
    folder = OutcomeFolder(tmp_path, threads=1)
    assert run(folder, fails="fast") == EVERYTHING
    found = folder.read(FAST, jobs()[0][1])
    assert found is not None
    assert found.error == "it is refused"
    assert folder.measured(FAST, jobs()[0][1]) is None
    assert run(folder) == [("fast", "clips", 2), ("fast", "talks", 1)]


def test_other_recordings_are_measured_anew(tmp_path: Path) -> None:
    folder, (system, unit) = OutcomeFolder(tmp_path, threads=1), jobs()[0]
    run(folder)
    assert folder.measured(system, unit) is not None
    more = replace(unit, recordings=(*unit.recordings, recording("new")))
    assert folder.measured(system, more) is None


def test_a_folder_is_a_model_too(tmp_path: Path) -> None:
    assert model_path(str(tmp_path)) == str(tmp_path)
    assert model_path("nano") == "nano"


def request(**changes: object) -> dict[str, object]:
    return {
        "program": "quest22", "model": "nano", "options": {}, "compute_type": None,
        "batched": False, "threads": 1,
    } | changes  # fmt: skip


def test_a_worker_measures_each_unit(write_tones: WriteSet) -> None:
    files = [str(each.path) for each in write_tones("tones", ["", "", ""]).recordings]
    outcomes: list[Outcome] = []
    serve({"request": request(), "units": [files[:2], files[2:]]}, outcomes.append)
    assert [list(each.texts) for each in outcomes] == [["0.flac", "1.flac"], ["2.flac"]]
    for each in outcomes:
        assert each.error == ""
        assert each.about.startswith("quest22 ")
        assert each.processor_s > 0
        assert each.threads == 1
        json.dumps(each.texts)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"options": {"quality": "worst"}}, "worst"),
        ({"model": "/nowhere/at-all"}, "/nowhere/at-all"),
    ],
)
def test_a_worker_says_why_a_system_cannot_run(changes: dict[str, object], reason: str) -> None:
    outcomes: list[Outcome] = []
    serve({"request": request(**changes), "units": [["a"], ["b"]]}, outcomes.append)
    (found,) = outcomes
    assert reason in found.error


@pytest.mark.slow
def test_a_process_of_its_own_measures_a_system(write_tones: WriteSet) -> None:
    tones = units([write_tones("tones", ["", ""])], "nano", ("even", "odd"))
    outcomes = list(in_process(FAST, tones, 1))
    assert [list(each.texts) for each in outcomes] == [["0.flac"], ["1.flac"]]
    assert all(each.peak_bytes > 0 for each in outcomes)


@pytest.mark.slow
def test_a_process_that_dies_is_an_outcome(tmp_path: Path) -> None:
    lost = Unit("nano", "lost", "even", (recording(str(tmp_path / "lost.flac")),))
    (outcome,) = in_process(FAST, [lost], 1)
    assert "ended with code 1" in outcome.error
