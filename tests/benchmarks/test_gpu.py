"""The rehearsal of what a GPU is measured with: nothing in it may end the rest."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu.figures import Figure, append, read, table

PYTHON = [sys.executable, "-c"]


def test_a_phase_that_fails_is_told_in_a_line() -> None:
    assert gpu.run_phase([*PYTHON, "pass"], 20) == "done"
    failed = gpu.run_phase([*PYTHON, "print('a'); raise RuntimeError('no such kernel')"], 20)
    assert failed == "FAILED (1): RuntimeError: no such kernel"
    died = gpu.run_phase([*PYTHON, "import os; os.abort()"], 20)
    assert died.startswith("FAILED (-6)")


def test_a_phase_that_hangs_is_ended_with_its_children() -> None:
    hanging = "import subprocess, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    assert gpu.run_phase([*PYTHON, hanging], 1).startswith("ended after 1 s")


def test_the_next_phase_runs_whatever_becomes_of_one(tmp_path: Path) -> None:
    """A phase here is a program that fails in the second of three; its figure stays."""
    program = (
        "import sys; from pathlib import Path; from benchmarks.gpu.figures import Recorder; "
        f"Recorder(Path({str(tmp_path / 'figures.jsonl')!r}), sys.argv[2])('speed', 3, 'x'); "
        "sys.exit(sys.argv[2] == 'checks')"
    )
    names = ["machine", "checks", "tiny"]
    gpu.run_phases([*PYTHON, program], names, tmp_path, 60)
    figures = read(tmp_path / "figures.jsonl")
    assert [each.phase for each in figures] == [name for name in names for _ in range(2)]
    assert [each.note[:6] for each in figures[1::2]] == ["done", "FAILED", "done"]
    assert (tmp_path / "report.md").read_text() == table(figures)
    gpu.run_phases([*PYTHON, program], names, tmp_path, 0)
    assert {each.note for each in read(tmp_path / "figures.jsonl")} == {"no time was left"}


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path, figure = (
        tmp_path / "figures.jsonl",
        Figure("a", "b | c", 1234.5678, "ms", "two\nlines | x"),
    )
    append(path, figure)
    with path.open("a") as lines:
        lines.write(json.dumps({"phase": "a"})[:9])
    assert read(path) == [figure]
    assert table([figure]).splitlines()[2] == "| a | b / c | 1,235 | ms | two lines / x |"


@pytest.mark.slow
@pytest.mark.long
def test_the_rehearsal_goes_through_all_phases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    arguments = ["gpu", "--rehearse", "--out", str(tmp_path), "--minutes", "30"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert gpu.main() == 0
    figures = read(tmp_path / "figures.jsonl")
    ends = {each.phase: each.note for each in figures if each.name == "(whole phase)"}
    assert ends == dict.fromkeys(gpu.PHASES, "done")
    wrong = [each for each in figures if each.phase == "checks" and "WRONG" in each.note]
    same = [
        each
        for each in figures
        if each.phase == "checks" and each.unit in ("share", "1: same bytes")
    ]
    assert not wrong
    assert {each.value for each in same} == {1.0}
    counted = [each for each in figures if each.phase == "turbo" and "5.0 counted" in each.note]
    assert counted
