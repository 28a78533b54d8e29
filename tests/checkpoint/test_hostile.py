"""Checkpoints from strangers: one clear line for each, and no crash, no hang, bounded memory."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.checkpoint.hostile import CASES
from tests.support.once import made_once

REPOSITORY = Path(__file__).parent.parent.parent
REFUSALS = ("CheckpointError", "EngineError")
PEAK_MB = 1000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits memory by RLIMIT_AS"),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    def all_cases() -> dict[str, dict[str, Any]]:
        home = tmp_path_factory.mktemp("hostile")
        command = [sys.executable, "-m", "tests.checkpoint.hostile", str(home)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(lines) == len(CASES), f"ended at {CASES[len(lines)].name}: {done.stderr[-2000:]}"
        return {each["name"]: each for each in lines}

    found: dict[str, dict[str, Any]] = made_once(tmp_path_factory, "hostile", all_cases)
    return found


def test_names_of_cases_are_different() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_checkpoint_from_a_stranger(case: Any, outcomes: dict[str, dict[str, Any]]) -> None:
    came = outcomes[case.name]
    if case.message is None:
        assert came["error"] is None, came
        return
    assert came["error"] in REFUSALS, came
    assert re.search(case.message, came["message"]), came
    assert came["message"].isprintable(), came
    assert len(came["message"]) < 600, came


def test_no_checkpoint_takes_much_memory(outcomes: dict[str, dict[str, Any]]) -> None:
    assert max(each["peak_mb"] for each in outcomes.values()) < PEAK_MB


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    """A few hundred; ``make torture`` makes thousands."""
    command = [sys.executable, "-m", "tests.checkpoint.mutations", str(tmp_path), "300"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout == "all 300\n", done.stderr[-2000:]
